"""The domain of coinhts: candles, strategies, backtests, positions, and where they are kept; no Dagster."""
