"""Results: what a backtest, sweep or walk-forward came to, kept under its identity and found again."""
