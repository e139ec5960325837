"""What TLS a domain tells senders to insist on, and where they are to report trouble with it."""
