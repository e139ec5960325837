"""The MSA: accept or refuse (RFC 6409). One door for SMTP, HTTP and the relay's own mail.

bytes → session → Submission → policy (ordered checks, first Deny wins) → accept (one durable transaction).
"""
