"""The edges: agents push, consoles read and change, Prometheus scrapes. Nothing is decided here."""
