"""Settings → running processes. The only place that chooses implementations."""
