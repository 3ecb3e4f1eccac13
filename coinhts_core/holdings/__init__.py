"""Positions that people keep by hand: the book `manual`, and no other."""
