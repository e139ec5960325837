"""RFC 5321, RFC 6409 and extensions, both roles: bytes in, events out; decisions in, bytes out."""
