"""Commands: the groups of `coinhts`, a file each, and what they share."""
