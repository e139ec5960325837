"""The machine: clock, entropy, keyring; only ``runtime`` imports it."""
