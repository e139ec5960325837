"""Where state rests; only ``runtime`` imports it."""
