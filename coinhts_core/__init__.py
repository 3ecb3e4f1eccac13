"""The domain of coinhts: candles, strategies, backtests, positions, and where they are kept. Knows nothing of Dagster."""
