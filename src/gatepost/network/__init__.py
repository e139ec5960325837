"""The wire: resolver, TLS contexts, outgoing connections; only ``runtime`` imports it."""
