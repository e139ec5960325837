"""The submission listeners: sockets and TLS around a ServerSession, and the handler that decides what it asks."""
