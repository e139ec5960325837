"""What each SMTP reply means for a client and what to do about it, by the reply's name in the code."""

from typing import Final

CLOSES: Final = "The connection closes."

MEANINGS: Final = {
    # Positive
    "BEGIN_TLS": "Begin the TLS handshake; what was said before it is forgotten.",
    "GOODBYE": f"Answer to QUIT. {CLOSES}",
    "HELP": "Answer to HELP.",
    "AUTHENTICATED": "The key is valid here and may send.",
    "OK": "Answer to NOOP.",
    "FORGOTTEN": "Answer to RSET: the transaction, if there was one, is over.",
    "SENDER_ACCEPTED": "Answer to MAIL.",
    "RECIPIENT_ACCEPTED": "Answer to RCPT. It says nothing about whether the mailbox exists.",
    "NOT_VERIFIED": "Answer to VRFY, the same for every address.",
    "SEND_CONTENT": "Send the content, dot-stuffed, and end it with CRLF, dot, CRLF.",
    "ready": "The greeting.",
    "queued": "The message is on stable storage. The last word is its id: keep it, `gatepost message show` takes it.",
    # Lines and commands
    "UNKNOWN_COMMAND": "No such command. Look for a typing error, or for content sent where commands are read.",
    "LINE_TOO_LONG": "A command line is longer than 512 octets (MAIL: a little more, AUTH: 12,288).",
    "STRAY_OCTET_IN_COMMAND": f"Mend the client: command lines end with CR LF and hold neither alone. {CLOSES}",
    "NO_ARGUMENT_TAKEN": "STARTTLS, DATA and RSET stand alone.",
    "BAD_GREETING": "Say EHLO with the client's host name.",
    "NO_EXPN": "There are no mailing lists here.",
    "NO_BDAT": f"CHUNKING was not offered: use DATA. {CLOSES}",
    "EHLO_FIRST": "Say EHLO first, and again after STARTTLS.",
    "SENDER_FIRST": "MAIL comes before RCPT; perhaps MAIL was refused.",
    "ONE_SENDER": "A transaction is open: send RSET, or end it.",
    "RECIPIENT_FIRST": "DATA needs an accepted MAIL and an accepted RCPT; perhaps they were refused.",
    "NOT_IN_TRANSACTION": "Send RSET first.",
    "EARLY_OCTETS": f"The client sent on without waiting for the reply to EHLO, STARTTLS, AUTH or DATA. {CLOSES}",
    "NOT_SMTP": f"The client speaks HTTP: check host and port. {CLOSES}",
    "BAD_PREAMBLE": "The connection came from a listed proxy without a PROXY protocol header: make the proxy send it, "
    f"or take it off `proxy_protocol.trusted`. {CLOSES}",
    "TOO_MANY_ERRORS": f"20 commands or messages were refused without one accepted in between. {CLOSES}",
    "TOO_MANY_MESSAGES": f"`submission.max_messages` is reached: connect again and go on. {CLOSES}",
    # TLS and authentication
    "TLS_NOT_OFFERED": "This listener has no certificate. The operator has to set one.",
    "TLS_ALREADY_ACTIVE": "TLS is on already; on port 465 it is on from the start: do not send STARTTLS.",
    "AUTH_NEEDS_TLS": "Turn on STARTTLS in the client. Whatever password was sent in the clear should be replaced.",
    "AUTH_NOT_OFFERED": "This listener takes no AUTH.",
    "ALREADY_AUTHENTICATED": "Send MAIL; for another key, connect again.",
    "UNKNOWN_MECHANISM": "Set the client to PLAIN or LOGIN.",
    "AUTH_CANCELLED": "The client sent `*`.",
    "AUTH_SYNTAX": "The response is not base64, or not of the mechanism's form.",
    "AUTH_LINE_TOO_LONG": "A response is longer than any key.",
    "AUTH_IDENTITY": f"Leave the authorization identity empty, or set it to the user name. {CLOSES}",
    "UNAUTHENTICATED_SENDER": "AUTH comes before MAIL, and STARTTLS before AUTH.",
    "AccessDenial.BAD_CREDENTIAL": "The password has not the shape of a key: was it copied whole? "
    f"Is the user name `apikey`? {CLOSES}",
    "AccessDenial.KEY_NOT_VALID": "The key is unknown here, revoked or expired. Make another: `gatepost key create`. "
    f"{CLOSES}",
    "AccessDenial.PASSWORD_NOT_TAKEN": "User name and password of a person never work. Use the word `apikey` and a "
    f"key. {CLOSES}",
    "AccessDenial.ADDRESS_NOT_LISTED": "The account lists from where it may be reached (`gatepost access list`), and "
    f"this address is not listed. It is a 4xx so that a mail server keeps its queue until that is mended. {CLOSES}",
    "AccessDenial.NETWORK_NOT_ALLOWED": "The key is limited to networks (`--allow-ip`), and this is none of them. It "
    f"is a 4xx so that a mail server keeps its queue until that is mended. {CLOSES}",
    "LimitDenial.ACCOUNT_LIMIT": "The account has sent as much as it may in that time (`gatepost limit`, `[limits]`); "
    "the reply says when to come again, and a mail server's queue does so by itself.",
    "LimitDenial.ADDRESS_LIMIT": "As above, for the address that the session comes from, whatever keys it uses.",
    "AccessDenial.SCOPE_MISSING": f"The key has no scope `mail.send`, which cannot be added: make another. {CLOSES}",
    "AccessDenial.ACCOUNT_NOT_ACTIVE": "The account is suspended or closed; the operator may "
    f"`gatepost account resume` a suspended one. {CLOSES}",
    "AccessDenial.ACCOUNT_UNDER_REVIEW": "Somebody looks into what the account, or its parent, sends. It is a 4xx so "
    f"that a mail server keeps its queue until the operator ends it with `gatepost account resume`. {CLOSES}",
    "AccessDenial.CREDITS_EXCEEDED": "The account, or its parent, has sent to as many recipients as its credits "
    f"allow in this period; `gatepost account show` has the numbers. {CLOSES}",
    "AccessDenial.TOO_MANY_ATTEMPTS": "Too many wrong credentials came from this network; it passes within minutes. "
    f"A key that has worked from there before still does. {CLOSES}",
    "CANNOT_AUTHENTICATE": f"The control database did not answer; the log says why. Try again. {CLOSES}",
    # Envelope
    "SENDER_SYNTAX": "Write `MAIL FROM:<local-part@domain>` or `MAIL FROM:<>`.",
    "RECIPIENT_SYNTAX": "Write `RCPT TO:<local-part@domain>`.",
    "NEEDS_SMTPUTF8": "The address is not ASCII: add SMTPUTF8 to the MAIL command.",
    "PARAMETER_SYNTAX": "What follows the address cannot be read, or is given twice.",
    "UNKNOWN_PARAMETER": "The client uses an extension that EHLO did not offer; NOTIFY, RET and ENVID are such.",
    "TOO_LARGE": "Larger than `submission.max_size_octets`. "
    "Where more than twice as much comes, the connection closes.",
    "TOO_MANY_RECIPIENTS": "`submission.max_recipients` is reached: mail servers send to the rest in another message.",
    "SubmissionDenial.REVERSE_PATH_NOT_VERIFIED": "Use an envelope sender in a verified domain of the account, or let "
    "the mail server rewrite it.",
    "SubmissionDenial.RECIPIENT_NOT_ROUTABLE": "An address literal, a single label, a reserved name or this relay's "
    "own name.",
    "SubmissionDenial.RECIPIENT_NOT_ALLOWED": "The key was made for recipients in other domains: use another key.",
    "BudgetDenial.MESSAGES": "Come again when the reply says; if that is often, make a key with a larger budget.",
    "BudgetDenial.NEW_RECIPIENTS": "The account has not written to this recipient before, and the key may write to so "
    "many such only. Others still pass.",
    # Content
    "STRAY_OCTET_IN_CONTENT": f"Mend the client: content lines end with CR LF and hold neither alone. {CLOSES}",
    "CONTENT_LINE_TOO_LONG": "RFC 5321 allows 998 octets a line: encode the body as quoted-printable or base64.",
    "UNDECLARED_8BIT": "MAIL said BODY=7BIT (or nothing, where `submission.take_undeclared_8bit` is off), and the body "
    "is of 8 bits.",
    "SubmissionDenial.HEADER_MALFORMED": "A line of the header section is no field, or a field that may stand once "
    "stands twice.",
    "SubmissionDenial.HEADER_TOO_LONG": "More than 256 KiB or 1000 fields before the empty line; perhaps it is "
    "missing.",
    "SubmissionDenial.AUTHOR_AMBIGUOUS": "See [the author rule](../explanation/author-rule.md).",
    "SubmissionDenial.AUTHOR_NOT_VERIFIED": "`gatepost domain add`, publish the records, `gatepost domain verify`; or "
    "[prove the one address](../how-to/verify-a-single-sender.md); or write a From that the account owns.",
    "SubmissionDenial.AUTHOR_NOT_ALLOWED": "The key is limited to authors (`--from`): use another key, or that author.",
    "SubmissionDenial.SENDER_NOT_VERIFIED": "Leave Sender and Resent fields out, or name somebody in a verified "
    "domain, or a verified single sender.",
    "SubmissionDenial.EIGHT_BIT_NOT_DECLARED": "The header section holds octets above 127: encode them (RFC 2047), or "
    "send with SMTPUTF8.",
    "SubmissionDenial.LOOP": "More than 50 Received fields: two servers hand the message to each other.",
    "SubmissionDenial.X_SMTPAPI": "The X-SMTPAPI field is no JSON object, or asks for what is not done here (groups, "
    "pools, templates) or cannot be done as it is written; the text names it.",
    # The service itself
    "NO_ROOM": "The disk is full, or the memory for content is used up (`submission.memory_octets`).",
    "STORE_TROUBLE": "The queue could not commit; the log says why. After a failed fsync it stays so until the worker "
    "is restarted.",
    "NOT_STORABLE": "A fault of ours or a damaged file: look into the log.",
    "INTERNAL_ERROR": "A fault of ours; the log has a traceback. The session goes on.",
    "SESSION_BROKEN": f"A fault of ours; the log has a traceback. {CLOSES}",
    "TOO_MANY_SESSIONS": f"`submission.max_sessions` or `max_sessions_per_address` is reached. {CLOSES}",
    "IDLE_TOO_LONG": f"`submission.idle_timeout` or `authentication_timeout` has passed. {CLOSES}",
    "CONTENT_TOO_SLOW": "`submission.data_timeout` has passed, and the content comes slower than 1,024 octets a "
    f"second. {CLOSES}",
    "SESSION_TOO_LONG": f"`submission.session_timeout` has passed. {CLOSES}",
    "SHUTTING_DOWN": f"The service stops or restarts; a transaction under way was let finish. {CLOSES}",
}
