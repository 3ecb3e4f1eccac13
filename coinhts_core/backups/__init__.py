"""Copies of an installation that it can be brought back from: taken, looked at, and put into an empty one."""
