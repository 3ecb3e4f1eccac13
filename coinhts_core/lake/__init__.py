"""Frames kept by asset, symbol and day, under commits that say what is where and what it hashes to."""
