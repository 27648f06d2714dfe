"""What is decided and done: metering, runs, providers, the proxy, identity, the vault, pages."""
