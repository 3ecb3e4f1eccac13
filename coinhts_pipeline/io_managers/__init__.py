"""How assets are stored and loaded: frames in the lake, positions in the ledger."""
