"""Every reply the session sends of itself, named once, with the section that asks for it.

The texts are those of the SendGrid dialect where one is known, because clients compare them; an enhanced status
code (RFC 2034, RFC 3463, RFC 5248) stands before each. What the owner decides brings its own reply.
"""

from typing import Final

from gatepost.standards.smtp.replies import Reply

# Positive -------------------------------------------------------------------------------------------------------------

BEGIN_TLS: Final = Reply(220, "2.0.0", "Begin TLS negotiation now")  # RFC 3207 §4
GOODBYE: Final = Reply(221, "2.0.0", "See you later")  # RFC 5321 §4.1.1.10
HELP: Final = Reply(214, "2.0.0", "Commands: EHLO STARTTLS AUTH MAIL RCPT DATA RSET NOOP QUIT")  # RFC 5321 §4.1.1.8
AUTHENTICATED: Final = Reply(235, "2.7.0", "Authentication successful")  # RFC 4954 §6
OK: Final = Reply(250, "2.0.0", "Ok")  # RFC 5321 §4.1.1.9
FORGOTTEN: Final = Reply(250, "2.0.0", "I remember nothing.")  # RFC 5321 §4.1.1.5
SENDER_ACCEPTED: Final = Reply(250, "2.1.0", "Sender address accepted")  # RFC 5321 §4.1.1.2
RECIPIENT_ACCEPTED: Final = Reply(250, "2.1.5", "Recipient address accepted")  # RFC 5321 §4.1.1.3
NOT_VERIFIED: Final = Reply(252, "2.5.0", "Cannot verify; send a message and see")  # RFC 5321 §3.5.3
SEND_CONTENT: Final = Reply(354, "", "Continue")  # RFC 5321 §4.1.1.4; 3xx bear no enhanced code, RFC 2034 §4

# Lines and commands ---------------------------------------------------------------------------------------------------

UNKNOWN_COMMAND: Final = Reply(500, "5.5.1", "Command not implemented")  # RFC 5321 §4.2.4
LINE_TOO_LONG: Final = Reply(500, "5.5.2", "Line too long")  # RFC 5321 §4.5.3.1.4
STRAY_OCTET_IN_COMMAND: Final = Reply(
    500, "5.5.2", "Command refused: it holds a bare CR, a bare LF or a NUL; end each line with CRLF"
)  # RFC 5321 §2.3.8
NO_ARGUMENT_TAKEN: Final = Reply(501, "5.5.4", "This command takes no argument")  # RFC 5321 §4.1.1
BAD_GREETING: Final = Reply(501, "5.5.4", "The host name must be of printable ASCII characters")  # RFC 5321 §4.1.1.1
NO_EXPN: Final = Reply(502, "5.5.1", "EXPN is not offered")  # RFC 5321 §3.5.3
NO_BDAT: Final = Reply(502, "5.5.1", "BDAT is not offered; use DATA")  # RFC 3030 §2
EHLO_FIRST: Final = Reply(503, "5.5.1", "Send EHLO first")  # RFC 5321 §4.1.4
SENDER_FIRST: Final = Reply(503, "5.5.1", "Must have sender before recipient")  # RFC 5321 §3.3
ONE_SENDER: Final = Reply(503, "5.5.1", "Only one sender per message, please")  # RFC 5321 §4.1.4
RECIPIENT_FIRST: Final = Reply(503, "5.5.1", "Must have valid receiver and originator")  # RFC 5321 §3.3
NOT_IN_TRANSACTION: Final = Reply(503, "5.5.1", "Not during a transaction; send RSET first")  # RFC 3207, RFC 4954 §4
EARLY_OCTETS: Final = Reply(
    554, "5.5.0", "Octets came where a reply had to be waited for; see RFC 2920 on pipelining"
)  # RFC 2920 §3.1
NOT_SMTP: Final = Reply(554, "5.5.1", "This is a mail server and speaks SMTP")
BAD_PREAMBLE: Final = Reply(554, "5.5.0", "PROXY protocol expected; is the proxy set up to send it?")
TOO_MANY_ERRORS: Final = Reply(421, "4.7.0", "Too many errors; closing")  # RFC 5321 §3.8
TOO_MANY_MESSAGES: Final = Reply(421, "4.7.0", "Too many messages in one session; connect again")  # RFC 5321 §3.8

# TLS and authentication -----------------------------------------------------------------------------------------------

TLS_NOT_OFFERED: Final = Reply(454, "4.7.0", "TLS not available")  # RFC 3207 §4
TLS_ALREADY_ACTIVE: Final = Reply(503, "5.5.1", "TLS already negotiated")  # RFC 3207 §4.2
AUTH_NEEDS_TLS: Final = Reply(538, "5.7.11", "Encryption required; send STARTTLS, then AUTH")  # RFC 4954 §6
AUTH_NOT_OFFERED: Final = Reply(502, "5.5.1", "AUTH is not offered here")  # RFC 4954 §4
ALREADY_AUTHENTICATED: Final = Reply(503, "5.5.1", "Already authenticated")  # RFC 4954 §4
UNKNOWN_MECHANISM: Final = Reply(504, "5.5.4", "Unrecognized authentication type; use PLAIN or LOGIN")  # RFC 4954 §4
AUTH_CANCELLED: Final = Reply(501, "5.7.0", "Authentication aborted")  # RFC 4954 §4
AUTH_SYNTAX: Final = Reply(501, "5.5.2", "Syntax error in parameters or arguments")  # RFC 4954 §4
AUTH_LINE_TOO_LONG: Final = Reply(500, "5.5.6", "Line too long")  # RFC 4954 §4, §6
AUTH_IDENTITY: Final = Reply(
    535, "5.7.8", "Authentication failed: no authorization identity may be named"
)  # RFC 4616 §2
UNAUTHENTICATED_SENDER: Final = Reply(550, "5.7.1", "Unauthenticated senders not allowed")
"""Deviation: RFC 4954 §6 says 530 5.7.0; clients of the dialect look for 550 and this text."""

# Envelope -------------------------------------------------------------------------------------------------------------

SENDER_SYNTAX: Final = Reply(501, "5.1.7", "Sender syntax error")  # RFC 3463 §3.2
RECIPIENT_SYNTAX: Final = Reply(501, "5.1.3", "Recipient syntax error")  # RFC 3463 §3.2
NEEDS_SMTPUTF8: Final = Reply(553, "5.6.7", "The address needs SMTPUTF8 in the MAIL command")  # RFC 6531 §3.5
PARAMETER_SYNTAX: Final = Reply(501, "5.5.4", "Syntax error in a parameter")  # RFC 5321 §4.1.2
UNKNOWN_PARAMETER: Final = Reply(555, "5.5.4", "A parameter is not recognized or not implemented")  # RFC 5321 §4.1.1.11
TOO_LARGE: Final = Reply(552, "5.3.4", "Message larger than the SIZE given at EHLO")  # RFC 1870 §6.1, §6.3
TOO_MANY_RECIPIENTS: Final = Reply(452, "4.5.3", "Too many recipients; send to the others in another message")
"""RFC 5321 §4.5.3.1.10: 452, so that the client sends to the rest afterwards."""

# Content --------------------------------------------------------------------------------------------------------------

STRAY_OCTET_IN_CONTENT: Final = Reply(
    550, "5.6.0", "Message refused: it holds a bare CR, a bare LF or a NUL; end each line with CRLF"
)  # RFC 5321 §2.3.8, §4.1.1.4
CONTENT_LINE_TOO_LONG: Final = Reply(
    550, "5.6.0", "Message refused: a line is longer than 998 octets; encode it as quoted-printable or base64"
)  # RFC 5321 §4.5.3.1.6
UNDECLARED_8BIT: Final = Reply(
    554, "5.6.3", "Message refused: it is not 7-bit; send BODY=8BITMIME in the MAIL command"
)  # RFC 6152 §3


def ready(host_name: str) -> Reply:
    """The greeting that opens a session (RFC 5321 §3.1)."""
    return Reply(220, "", f"{host_name} ESMTP Gatepost ready")


def with_detail(reply: Reply, detail: str) -> Reply:
    """Add what exactly is wrong; ``detail`` may quote the peer, so whatever is not printable ASCII is escaped."""
    shown = "".join(letter if " " <= letter <= "~" else ascii(letter)[1:-1] for letter in detail)
    return Reply(reply.code, reply.enhanced, f"{reply.text}: {shown[:200]}")
