"""RFC 5322 and MIME, octet-preserving: what we do not change stays as it came.

Purpose: find out what a message says (author, fields) and add to it, without rewriting it as a mail library would.
Threat: a message that two parsers read differently lets a tenant show another From than the one checked. What is
ambiguous is refused here, by a grammar narrower than the RFC's.
"""
