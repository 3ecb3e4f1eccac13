"""Tearsheets: one result as one page that needs nothing else."""
