"""As whom an account may send: authenticated domains, their DNS records and DKIM keys, and the author rule."""
