"""Requests: the run that answers them, and the processes that it answers in."""
