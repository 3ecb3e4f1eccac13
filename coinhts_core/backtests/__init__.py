"""Backtests: an account, the fold over its days, their chain, and the figures of the outcome."""
