"""Upkeep: what a house that has lived for a while no longer needs, found, told and put away."""
