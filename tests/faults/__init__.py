"""Real processes that are killed, and disks that forget: what the ledger keeps through them."""
