"""What is remembered: tables, the ledger, the catalogue, threads. Imports nothing of ours."""
