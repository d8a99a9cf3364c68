"""The desk: tickets, their timeline, and how alerts become them."""
