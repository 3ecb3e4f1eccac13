"""Health: what works in an installation and what does not, a room of it at a time."""
