"""The only way to log or count: structured, redacting; every metric declared once."""
