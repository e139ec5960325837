"""MAIL and RCPT (RFC 5321 §4.1.1.2, §4.1.1.3): from the argument of the command to what is offered."""

from gatepost.standards.smtp.errors import ProtocolViolation
from gatepost.standards.smtp.events import RecipientOffered, TransactionOffered
from gatepost.standards.smtp.parameters import parse_mail_parameters, parse_rcpt_parameters
from gatepost.standards.smtp.paths import parse_forward_path, parse_reverse_path, split_path
from gatepost.standards.smtp.status_codes import (
    RECIPIENT_SYNTAX,
    SENDER_SYNTAX,
    TOO_LARGE,
    UNKNOWN_PARAMETER,
    with_detail,
)


def read_mail(argument: bytes, *, max_size_octets: int, takes_auth: bool, is_extended: bool) -> TransactionOffered:
    """Read the argument of MAIL.

    Args:
        argument: What follows the verb.
        max_size_octets: The largest SIZE to take.
        takes_auth: Whether AUTH is offered, and with it the parameter of that name.
        is_extended: Whether EHLO was said; without it there are no parameters.

    Raises:
        ProtocolViolation: The path or a parameter is not taken; 552 5.3.4 for too large a SIZE.
    """
    path, text = split_path(argument, b"FROM:", SENDER_SYNTAX)
    if text and not is_extended:
        raise ProtocolViolation(with_detail(UNKNOWN_PARAMETER, "send EHLO first"))
    parameters = parse_mail_parameters(text, takes_auth=takes_auth)
    if (parameters.size_octets or 0) > max_size_octets:
        raise ProtocolViolation(TOO_LARGE)
    return TransactionOffered(
        reverse_path=parse_reverse_path(path, allow_utf8=parameters.smtputf8),
        size_octets=parameters.size_octets,
        body=parameters.body,
        smtputf8=parameters.smtputf8,
    )


def read_rcpt(argument: bytes, *, allow_utf8: bool) -> RecipientOffered:
    """Read the argument of RCPT.

    Args:
        argument: What follows the verb.
        allow_utf8: Whether MAIL said SMTPUTF8.

    Raises:
        ProtocolViolation: The path is not taken, or there is a parameter.
    """
    path, text = split_path(argument, b"TO:", RECIPIENT_SYNTAX)
    parse_rcpt_parameters(text)
    return RecipientOffered(parse_forward_path(path, allow_utf8=allow_utf8))
