"""Ops: how the house itself does, told by figures."""
