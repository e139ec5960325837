"""The ordered checks a submission must pass; the first Deny wins."""

from enum import Enum


class SubmissionDenial(Enum):
    """Why a message, a reverse-path or a recipient was refused."""

    #: The header section cannot be read one way only, or breaks RFC 5322; detail says where.
    HEADER_MALFORMED = "header malformed"
    HEADER_TOO_LONG = "header too long"
    #: None, several, a group, or an address another reader could take differently; detail says which.
    AUTHOR_AMBIGUOUS = "author ambiguous"
    #: The author lies in no verified domain of the account.
    AUTHOR_NOT_VERIFIED = "author not verified"
    #: The key is restricted to other authors.
    AUTHOR_NOT_ALLOWED = "author not allowed"
    #: The Sender field names somebody the account may not use.
    SENDER_NOT_VERIFIED = "sender not verified"
    REVERSE_PATH_NOT_VERIFIED = "reverse-path not verified"
    #: An address literal, a single label, or our own name: nothing a public MX could answer for.
    RECIPIENT_NOT_ROUTABLE = "recipient not routable"
    #: Octets above 127 without BODY=8BITMIME (RFC 6152), or in the header section without SMTPUTF8 (RFC 6532).
    EIGHT_BIT_NOT_DECLARED = "8-bit not declared"
    #: More Received fields than a message that is not in a loop gathers (RFC 5321 §6.3).
    LOOP = "loop"
    #: X-SMTPAPI asks for things this version does not do; taking it would deliver something else than asked.
    X_SMTPAPI = "x-smtpapi"
