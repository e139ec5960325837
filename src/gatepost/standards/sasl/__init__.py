"""RFC 4422 mechanisms as exchanges of bytes."""
