"""Candles: what a venue said happened, bar by bar, and what is known to be missing."""
