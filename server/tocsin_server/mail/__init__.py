"""Mail: what is sent, and how it is given to a mail server."""
