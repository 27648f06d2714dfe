"""The ledger's speed, size and memory, as ratios of runs that take turns: see README.md."""
