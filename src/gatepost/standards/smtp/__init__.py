"""RFC 5321, RFC 6409 and extensions, both roles: bytes in, events out; decisions in, bytes out.

The server's side, from the outside in: ``server`` is the session and all an owner needs, with ``events`` and
``replies``; ``states`` says what is legal when; ``commands``, ``envelope``, ``paths``, ``parameters`` and
``authentication`` read what a client says, ``data`` reads content; ``input_buffer`` and ``event_queue`` hold what
waits;
``status_codes`` is every reply the session has of its own.

Invariants: octets behind a command whose reply changes their meaning end the session; a stray CR, LF or NUL ends it;
nothing a peer sends raises an exception or takes more memory than the longest line, beside what its owner has read in
one piece; a transaction's end, of whatever kind, forgets MAIL and RCPT.

Threats considered: SMTP smuggling, commands injected before STARTTLS or by other protocols (HTTP), credentials in the
clear, addresses and parameters two parsers read differently, replies and logs that echo what a client wrote, floods of
errors, recipients, messages or endless lines.
"""
