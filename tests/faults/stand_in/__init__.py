"""A stand-in for Upbit: a real HTTP server in a process of its own, whose truth is the sample market."""
