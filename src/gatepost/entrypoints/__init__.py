"""Ways in: each translates, calls one use case, translates back; they do not know each other."""
