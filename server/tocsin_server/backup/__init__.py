"""Backups: everything a server needs to go on elsewhere, in one file that is checked to the last bit."""
