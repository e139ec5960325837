"""DNS names, records, questions and answers as values; no sockets (RFC 1035, 1123, 8499)."""
