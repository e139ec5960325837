"""docs/reference/smtp.md: the dialect as a client meets it, above all every reply and what to do about it."""

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

from tools.smtp_reply_meanings import MEANINGS

from gatepost.entrypoints.smtp import reply_texts
from gatepost.mailflow.submission.policy import MAX_RECEIVED_FIELDS, SubmissionDenial
from gatepost.primitives.decision import Deny
from gatepost.primitives.ids import MessageId
from gatepost.runtime.settings import DEFAULT_LISTENERS, ListenerTLS, Submission
from gatepost.standards.message.author import MAX_FIELD_OCTETS
from gatepost.standards.message.header import MAX_FIELDS, MAX_SECTION_OCTETS
from gatepost.standards.smtp import status_codes
from gatepost.standards.smtp.commands import MAX_COMMAND_OCTETS
from gatepost.standards.smtp.commands import MAX_LINE_OCTETS as MAX_AUTH_LINE_OCTETS
from gatepost.standards.smtp.data import MAX_LINE_OCTETS
from gatepost.standards.smtp.extensions import ehlo_reply
from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.session_settings import SessionSettings
from gatepost.tenancy.access.budget import BudgetDenial
from gatepost.tenancy.access.principal import AccessDenial
from gatepost.tenancy.access.sending_rate import LimitDenial

_CITATION: Final = re.compile(r"RFC \d+(?:,? §\d+(?:\.\d+)*)*")
_LINES: Final = re.DOTALL | re.MULTILINE
_EXAMPLE_ID: Final = MessageId("bXlfbWVzc2FnZV9pZF8x_w")

INTRODUCTION = """\
# SMTP

Made from `standards/smtp/status_codes.py` and `entrypoints/smtp/reply_texts.py` by `tools/smtp_reference.py`; do not
edit. The dialect is compatible with SendGrid's, with an enhanced status code (RFC 3463) in front of each text.

## Ports

Defaults; `[[listeners]]` in the [settings](settings.md) replaces them.

| port | TLS |
|---|---|
"""

EHLO = """
There is no port without TLS, and no mail without AUTH, on any port.

## EHLO

In the clear, before STARTTLS:

```text
{clear}
```

Over TLS:

```text
{tls}
```

`HELO` is understood and offers nothing, so nobody can send after it.

## AUTH

`PLAIN` and `LOGIN`, with and without an initial response; `*` cancels. The user name is the word `apikey`, the password
an API key, `SG.<22 characters>.<43 characters>`. An authorization identity other than `apikey` is refused. After a
credential that was refused the connection closes. Failures are counted for each network (IPv4 /24, IPv6 /64) and each
key: the refusal is first delayed, then 421 for a network that goes on.

## MAIL and RCPT

`MAIL FROM:<…>` takes `SIZE=`, `BODY=7BIT`, `BODY=8BITMIME`, `SMTPUTF8` and `AUTH=`. The reverse-path must lie in a
verified domain of the account, or be null (`<>`). `RCPT TO:<…>` takes no parameters (no `NOTIFY`: DSN is not offered).
Source routes are read and dropped. `BDAT` (CHUNKING) is not offered.

## X-SMTPAPI

One field of the message, a JSON object, which is removed before the message leaves. What is not in this table, or
cannot be carried out as it is written, is refused after DATA with 554, and the text names it.

| member | what becomes of it |
|---|---|
| `category`, `unique_args` | kept with the message and shown with its events |
| `send_at`, `batch_id` | as in the HTTP API |
| `to` | up to 1,000 addresses, `a@b` or `Name <a@b>`, in the place of those of RCPT |
| `sub` | by tag, one text for each recipient of `to`, or of RCPT without it; 10,000 octets a recipient |
| `section` | by tag, a text that stands for it in values of `sub`; values may name further tags, four levels deep |
| `send_each_at` | one instant for each recipient; not together with `send_at` |
| `filters` | `footer`, `bypass_list_management`; those for tracking are kept; `bcc`, `spamcheck` do nothing |

Each recipient of `to` gets a message of its own, whose To field names that address alone; Cc and Bcc are left out. With
`sub` or `send_each_at` alone each recipient of RCPT gets one, with the fields as they are. Tags hold no white space;
they are replaced in the Subject, in texts (plain and HTML) and in `unique_args`. A footer stands below every text.

Texts are decoded from their transfer encoding and charset before tags are replaced, and encoded anew, in UTF-8, only if
they changed; attachments are not looked into. A charset that is not read, and a signed or encrypted part, are refused
where a text is to change. All messages that one becomes are taken or none, at most 33,554,432 octets together; each
passes the same checks and counts against the same budgets, credits and rates as if it had come by itself. The reply
names the first one's id.

## Limits

| what | limit | setting |
|---|---|---|
"""

REPLIES = """
Time limits are in `[submission]` too. A limit passed is told with 421 before the connection closes, unless the client
is in the middle of a TLS handshake.

## Replies

`4xx` means: keep the message and try again later. `5xx` means: it will not work as it is. `...` stands for what exactly
was wrong; other replies may say that after a colon, too. The last column names the RFC that asks for a reply, or the
reason that logs and metrics give for it.
"""


def render() -> str:
    """Return the whole reference. Raises KeyError for a reply whose meaning nobody has written down."""
    return "".join(
        [
            INTRODUCTION,
            "".join(_row(each.port, _TLS[each.tls]) for each in DEFAULT_LISTENERS),
            EHLO.format(clear=_ehlo(over_tls=False), tls=_ehlo(over_tls=True)),
            "".join(_row(*limit) for limit in _limits()),
            REPLIES,
            *_reply_tables(),
        ]
    )


_TLS: Final = {
    ListenerTLS.STARTTLS: "STARTTLS, before anything else",
    ListenerTLS.IMPLICIT: "from the first octet",
}


def _ehlo(*, over_tls: bool) -> str:
    reply = ehlo_reply(
        "mail.example.com",
        max_size_octets=Submission().max_size_octets,
        offers_starttls=not over_tls,
        offers_auth=over_tls,
    )
    return reply.octets.decode().replace("\r\n", "\n").strip()


def _limits() -> Iterator[tuple[str, str, str]]:
    limits = Submission()
    yield "content", f"{limits.max_size_octets:,} octets", "`submission.max_size_octets`"
    yield "recipients of a message", f"{limits.max_recipients:,}", "`submission.max_recipients`"
    yield "messages of a session", f"{limits.max_messages:,}", "`submission.max_messages`"
    yield "sessions of a mail worker", f"{limits.max_sessions:,}", "`submission.max_sessions`"
    yield "of them from one address", f"{limits.max_sessions_per_address:,}", "`submission.max_sessions_per_address`"
    yield "refusals (5xx) in a row", f"{SessionSettings(host_name='').max_errors}", "fixed"
    yield "a command line", f"{MAX_COMMAND_OCTETS} octets", "fixed"
    yield "a line of AUTH", f"{MAX_AUTH_LINE_OCTETS:,} octets", "fixed"
    yield "a line of content", f"{MAX_LINE_OCTETS - len('..')} octets without CRLF", "fixed"
    yield "the header section", f"{MAX_SECTION_OCTETS:,} octets, {MAX_FIELDS:,} fields", "fixed"
    yield "a From field", f"{MAX_FIELD_OCTETS:,} octets", "fixed"
    yield "Received fields", f"{MAX_RECEIVED_FIELDS}", "fixed"


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |\n"


class _Known(NamedTuple):
    """A reply, its name in the code, the reason it goes by in logs and metrics, and the RFC that asks for it."""

    name: str
    reply: Reply
    reason: str = ""
    source: str = ""


def _reply_tables() -> Iterator[str]:
    known = sorted(_find_replies(), key=lambda each: (each.reply.code, each.reply.enhanced, each.name))
    names = {each.name for each in known}
    if superfluous := MEANINGS.keys() - names:
        raise KeyError(f"meanings of replies that are not given: {superfluous}")
    for first_digit, title in (("2", "Done"), ("3", "Go on"), ("4", "Not now"), ("5", "Not so")):
        yield f"\n### {title}: {first_digit}xx\n\n"
        yield _row("reply", "text", "what it means, what to do", "reason or source") + _row(*["---"] * 4)
        for each in known:
            if str(each.reply.code).startswith(first_digit):
                code = f"`{each.reply.code} {each.reply.enhanced}`".replace(" `", "`")
                yield _row(code, each.reply.text, MEANINGS[each.name], each.reason or each.source)


def _find_replies() -> Iterator[_Known]:
    """Yield every reply that the session or its owner can give, except those to EHLO and HELO."""
    yield _Known("ready", status_codes.ready("mail.example.com"))
    yield _Known("queued", reply_texts.queued(_EXAMPLE_ID))
    for module in (status_codes, reply_texts):
        for name, value in vars(module).items():
            # A name with a line before it is put into words by a denial below.
            if isinstance(value, Reply) and not name.startswith("_"):
                yield _Known(name, value, source=_find_source(module, name))
    for reason in (*AccessDenial, *LimitDenial, *BudgetDenial, *SubmissionDenial):
        yield _Known(str(reason), reply_texts.reply_to_denial(Deny(reason, "...")), reason=reason.value)


def _find_source(module: ModuleType, name: str) -> str:
    """Return the RFC sections in the comment behind a constant, or in the text below it; "" if there are none."""
    text = Path(str(module.__file__)).read_text(encoding="utf-8")
    found = re.search(rf"^{name}: Final = Reply\((.*?)(?=^[A-Z][A-Z0-9_]+: Final|^# [A-Z]|^def |\Z)", text, _LINES)
    comments = re.findall(r'#.*|""".*?"""', found[1], re.DOTALL) if found else []
    return ", ".join(chain.from_iterable(map(_CITATION.findall, comments)))
