"""What the body of ``mail/send`` must say, rule by rule; the texts are those that clients of the dialect know.

Every rule is a generator over the whole body, so that all that is wrong is told at once. This file holds those of the
message itself; ``mail_send_option_checks`` has those of what is asked beside it.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import UnsetType

from gatepost.entrypoints.api.problem import FieldError
from gatepost.entrypoints.api.v3.mail_send_body import EmailAddress, MailSend, Personalization
from gatepost.standards.address import AddressError, Mailbox, parse_mailbox
from gatepost.standards.message.mime_build import decode_base64, is_content_id, is_media_type

MAX_PERSONALIZATIONS: Final = 1000
MAX_RECIPIENTS: Final = 1000
_MAX_ADDRESS_CHARACTERS: Final = 320
_MAX_SUBSTITUTIONS: Final = 10_000
_MAX_SUBSTITUTED_OCTETS: Final = 10_000

_HEADER_NAME: Final = re.compile(r"[!-9;-~]{1,76}")
_LINE_ENDS: Final = re.compile(r"[\r\n]")
#: Those that other members stand for, that we write, or that would say something else of the body than is so.
_RESERVED_HEADERS: Final = frozenset(
    {
        "bcc", "cc", "date", "dkim-signature", "from", "mime-version", "received", "reply-to", "return-path", "subject",
        "to", "x-sg-eid", "x-sg-id", "x-smtpapi",
    }
)  # fmt: skip

_FROM_MISSING: Final = (
    "The from object must be provided for every email send. It is an object that requires the email parameter, but "
    'may also contain a name parameter.  e.g. {"email" : "example@example.com"}  or {"email" : "example@example.com", '
    '"name" : "Example Recipient"}.'
)
_SUBJECT_MISSING: Final = (
    "The subject is required. You can get around this requirement if you use a template with a subject defined or if "
    "every personalization has a subject defined."
)
_CONTENT_MISSING: Final = (
    "Unless a valid template_id is provided, the content parameter is required. There must be at least one defined "
    "content block. We typically suggest both text/plain and text/html blocks are included, but only one block is "
    "required."
)

Errors = Iterator[FieldError]


def find_message_errors(body: MailSend) -> Errors:
    """Yield what is wrong with the messages themselves."""
    for rule in _RULES:
        yield from rule(body)


def read_mailbox(address: EmailAddress | UnsetType) -> Mailbox | None:
    """Return the mailbox of an address object; None if it has none that mail could go to."""
    if isinstance(address, UnsetType) or isinstance(address.email, UnsetType):
        return None
    try:
        return parse_mailbox(address.email.encode("utf-8"), allow_utf8=True)
    except AddressError:
        return None


def listed(value: Sequence[EmailAddress] | UnsetType) -> Sequence[EmailAddress]:
    """Return a list that may have been left out."""
    return () if isinstance(value, UnsetType) else value


def mapped(value: Mapping[str, str] | UnsetType) -> Mapping[str, str]:
    """Return a map that may have been left out."""
    return {} if isinstance(value, UnsetType) else value


def error_at(field: str, message: str) -> FieldError:
    """Make an error of one field."""
    return FieldError(message=message, field=field)


def each_personalization(body: MailSend) -> Iterator[tuple[str, Personalization]]:
    """Yield each personalization with its path."""
    if not isinstance(body.personalizations, UnsetType):
        for place, personalization in enumerate(body.personalizations):
            yield f"personalizations.{place}", personalization


def _find_personalizations(body: MailSend) -> Errors:
    count = len(list(each_personalization(body)))
    if count == 0:
        yield error_at(
            "personalizations", "The personalizations field is required and must have at least one personalization."
        )
    if count > MAX_PERSONALIZATIONS:
        yield error_at(
            "personalizations",
            f"The personalization block is limited to {MAX_PERSONALIZATIONS} personalizations per API request. You have"
            f" provided {count} personalizations. Please consider splitting this into multiple requests and resending"
            " your request.",
        )
    recipients = sum(
        [len(listed(p.to)) + len(listed(p.cc)) + len(listed(p.bcc)) for _, p in each_personalization(body)]
    )
    if recipients > MAX_RECIPIENTS:
        yield error_at(
            "personalizations", f"There is a limit of {MAX_RECIPIENTS} total recipients (to + cc + bcc) per request."
        )


def _find_recipients(body: MailSend) -> Errors:
    for at, personalization in each_personalization(body):
        if not listed(personalization.to):
            yield error_at(
                f"{at}.to",
                "The to array is required for all personalization objects, and must have at least one email object"
                " with a valid email address.",
            )
        seen: set[str] = set()
        for name in ("to", "cc", "bcc"):
            for place, address in enumerate(listed(getattr(personalization, name))):
                yield from _find_address(address, f"{at}.{name}.{place}", "Does not contain a valid address.")
                text = "" if isinstance(address.email, UnsetType) else address.email.casefold()
                if text and text in seen:
                    yield error_at(
                        at,
                        "Each email address in the personalization block should be unique between to, cc, and bcc. We"
                        f" found the first duplicate instance of [{address.email}] in the {at}.{name} field.",
                    )
                seen.add(text)


def _find_address(address: EmailAddress, at: str, invalid: str) -> Errors:
    if isinstance(address.email, str) and len(address.email) > _MAX_ADDRESS_CHARACTERS:
        yield error_at(
            f"{at}.email", f"The email exceeds the maximum total length of {_MAX_ADDRESS_CHARACTERS} characters"
        )
    elif read_mailbox(address) is None:
        yield error_at(f"{at}.email", invalid)
    if isinstance(address.name, str) and not address.name.isprintable():
        yield error_at(f"{at}.name", "The name cannot contain line ends or other control characters.")


def _find_author(body: MailSend) -> Errors:
    invalid = "The from email does not contain a valid address."
    if isinstance(body.from_, UnsetType) or isinstance(body.from_.email, UnsetType):
        yield error_at("from.email", _FROM_MISSING)
        return
    yield from _find_address(body.from_, "from", invalid)
    author = read_mailbox(body.from_)
    for at, personalization in each_personalization(body):
        own = personalization.from_
        if isinstance(own, UnsetType):
            continue
        yield from _find_address(own, f"{at}.from", invalid)
        mailbox = read_mailbox(own)
        if author and mailbox and mailbox.domain != author.domain:
            yield error_at(
                f"{at}.from", "The from address of a personalization must have the domain of the from address."
            )


def _find_reply_to(body: MailSend) -> Errors:
    if not isinstance(body.reply_to, UnsetType):
        yield from _find_address(body.reply_to, "reply_to", "The reply_to email does not contain a valid address.")
        if listed(body.reply_to_list):
            yield error_at("reply_to_list", "You may use reply_to or reply_to_list, but not both.")
    addresses = [str(address.email).casefold() for address in listed(body.reply_to_list)]
    if len(addresses) > MAX_RECIPIENTS:
        yield error_at("reply_to_list", f"There is a limit of {MAX_RECIPIENTS} addresses in the reply_to_list.")
    if len(set(addresses)) < len(addresses):
        yield error_at("reply_to_list", "Each email address in the reply_to_list should be unique.")
    for place, address in enumerate(listed(body.reply_to_list)):
        yield from _find_address(address, f"reply_to_list.{place}", "Does not contain a valid address.")


def _find_subject(body: MailSend) -> Errors:
    empty = "The subject of your email must be a string at least one character in length."
    if body.subject == "":
        yield error_at("subject", empty)
    if (
        isinstance(body.subject, UnsetType)
        and not body.template_id
        and not all(isinstance(p.subject, str) for _, p in each_personalization(body))
    ):
        yield error_at("subject", _SUBJECT_MISSING)
    for at, personalization in each_personalization(body):
        if personalization.subject == "":
            yield error_at(f"{at}.subject", empty)


def _find_content(body: MailSend) -> Errors:
    if isinstance(body.content, UnsetType) or not body.content:
        if isinstance(body.template_id, str) and body.template_id:
            return
        yield error_at("content", _CONTENT_MISSING)
        return
    types = [part.type.lower() if isinstance(part.type, str) else "" for part in body.content]
    for place, part in enumerate(body.content):
        at = f"content.{place}"
        if not part.type:
            yield error_at(f"{at}.type", "Your content type must be a string with length of at least one character.")
        elif not is_media_type(types[place]):
            yield error_at(
                f"{at}.type", "The content type must be of the form type/subtype, without ';' or CRLF characters."
            )
        elif not types[place].startswith("text/"):
            yield error_at(f"{at}.type", "The content type must be a text type; send anything else as an attachment.")
        if not part.value:
            yield error_at(f"{at}.value", "The content value must be a string at least one character in length.")
    if types.count("text/plain") > 1 or types.count("text/html") > 1:
        yield error_at("content", "If present, text/plain and text/html may only be provided once.")
    order = [{"text/plain": 0, "text/html": 1}.get(each, 2) for each in types]
    if order != sorted(order):
        yield error_at(
            "content",
            "If either text/html or text/plain are to be sent in your email: text/plain needs to be first, followed by"
            " text/html, followed by any other content.",
        )


def _find_attachments(body: MailSend) -> Errors:
    if isinstance(body.attachments, UnsetType):
        return
    for place, each in enumerate(body.attachments):
        at = f"attachments.{place}"
        if not each.content:
            yield error_at(f"{at}.content", "The attachment content is required.")
        elif decode_base64(str(each.content)) is None:
            yield error_at(f"{at}.content", "The attachment content must be base64 encoded.")
        if not each.filename:
            yield error_at(f"{at}.filename", "filename is required.")
        elif not str(each.filename).isprintable():
            yield error_at(f"{at}.filename", "The filename of your attachment cannot contain CRLF characters.")
        if isinstance(each.type, str) and (not is_media_type(each.type) or each.type.lower().startswith(_COMPOSITE)):
            yield error_at(
                f"{at}.type",
                "The type must be of the form type/subtype, without ';' or CRLF characters, and no multipart or message"
                " type: application/octet-stream is always right.",
            )
        if isinstance(each.disposition, str) and each.disposition not in {"inline", "attachment"}:
            yield error_at(
                f"{at}.disposition", "The disposition of your attachment can be either 'inline' or 'attachment'."
            )
        if isinstance(each.content_id, str) and not is_content_id(each.content_id):
            yield error_at(
                f"{at}.content_id",
                "The content ID of your attachment cannot contain CRLF characters, spaces, angle brackets or non-ASCII"
                " characters.",
            )


_COMPOSITE: Final = ("multipart/", "message/")


def _find_headers(body: MailSend) -> Errors:
    for at, headers in [
        ("headers", body.headers),
        *[(f"{at}.headers", p.headers) for at, p in each_personalization(body)],
    ]:
        names = [name.lower() for name in mapped(headers)]
        if len(set(names)) < len(names):
            yield error_at(at, "The headers cannot contain duplicate keys.")
        for name, value in mapped(headers).items():
            if not _HEADER_NAME.fullmatch(name):
                yield error_at(at, "Header keys cannot contain non-ASCII characters or empty spaces.")
            elif name.lower() in _RESERVED_HEADERS or name.lower().startswith("content-"):
                yield error_at(f"{at}.{name}", "Header cannot be one of the reserved keys.")
            if not value.replace("\t", " ").isprintable():
                yield error_at(at, "Header values cannot contain line ends or other control characters.")


def _find_substitutions(body: MailSend) -> Errors:
    if "" in mapped(body.sections):
        yield error_at("sections", "A section tag must be at least one character in length.")
    for at, personalization in each_personalization(body):
        substitutions = mapped(personalization.substitutions)
        if len(substitutions) > _MAX_SUBSTITUTIONS:
            yield error_at(f"{at}.substitutions", "You are limited to 10,000 substitutions.")
        if sum([len(f"{tag}{text}".encode("utf-8", "replace")) for tag, text in substitutions.items()]) > (
            _MAX_SUBSTITUTED_OCTETS
        ):
            yield error_at(f"{at}.substitutions", "The substitutions of a personalization may not exceed 10,000 bytes.")
        if "" in substitutions:
            yield error_at(f"{at}.substitutions", "A substitution tag must be at least one character in length.")


_RULES: Final[tuple[Callable[[MailSend], Errors], ...]] = (
    _find_personalizations,
    _find_recipients,
    _find_author,
    _find_reply_to,
    _find_subject,
    _find_content,
    _find_attachments,
    _find_headers,
    _find_substitutions,
)
