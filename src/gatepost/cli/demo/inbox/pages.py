"""The inbox's pages: HTML made from received mail, every octet of which may be hostile (pure).

One function escapes, and every value goes through it. The pages hold no script and load nothing; the policy in
``CONTENT_SECURITY_POLICY`` says so to the browser, by the hash of the one style sheet.
"""

from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template
from typing import Final

from gatepost.cli.demo.inbox.mailbox import StoredMessage
from gatepost.cli.demo.inbox.reading import ReadMessage, find_field, make_printable, read_fields
from gatepost.cli.demo.inbox.verdict import SignatureVerdict

_STYLE: Final = files(__package__).joinpath("inbox.css").read_text(encoding="utf-8")
_STYLE_HASH: Final = b64encode(sha256(_STYLE.encode()).digest()).decode()

CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_PAGE: Final = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
$refresh<title>$title</title>
<style>$style</style>
</head>
<body>
<header><a class="home" href="/">Gatepost <span>demo inbox</span></a><p>$subtitle</p></header>
<main>
$content
</main>
<footer>Served from this machine only. Nothing is loaded from elsewhere, nothing runs.</footer>
</body>
</html>
""")

_ROW: Final = Template("""\
<li><a href="/message/$number">
<span class="from">$author</span><time>$at</time>
<span class="subject">$subject</span>
<span class="badges">$badges</span>
</a></li>
""")

_MESSAGE: Final = Template("""\
<article>
<h1>$subject</h1>
<p class="route">$author → $recipients</p>
<p class="badges">$badges</p>
<h2>What this receiver found</h2>
<dl class="findings">
$findings
</dl>
<h2>Text</h2>
$note<pre class="text">$text</pre>
<h2>Header fields</h2>
<dl class="fields">
$fields
</dl>
<p><a href="/message/$number/source">Source, exactly as it came</a> ($size octets)</p>
</article>
""")


def render_list(messages: list[StoredMessage]) -> str:
    """Return the page of all messages, newest first; it asks for itself anew every five seconds."""
    rows = "".join([_render_row(message) for message in messages])
    content = f'<ul class="messages">\n{rows}</ul>' if messages else '<p class="empty">No mail yet.</p>'
    count = f"{len(messages)} message{'' if len(messages) == 1 else 's'}"
    return _render("Inbox", subtitle=count, content=content, refresh='<meta http-equiv="refresh" content="5">\n')


def render_message(message: StoredMessage, read: ReadMessage) -> str:
    """Return the page of one message."""
    fields = list(read.fields)
    subject = find_field(fields, "subject") or "(no subject)"
    content = _MESSAGE.substitute(
        subject=_safe(subject),
        author=_safe(find_field(fields, "from") or "(no author)"),
        recipients=_safe(", ".join(message.delivery.recipients)),
        badges=_render_badges(message),
        findings="\n".join([_render_pair(name, value) for name, value in describe_findings(message)]),
        note=f'<p class="note">{_safe(read.note)}</p>\n' if read.note else "",
        text=_safe(read.text),
        fields="\n".join([_render_pair(name, value) for name, value in fields]),
        number=str(message.number),
        size=f"{message.size_octets:,}",
    )
    return _render(subject, subtitle=f"message {message.number}", content=content)


def render_missing() -> str:
    """Return the page for what is not there."""
    content = '<p class="empty">There is no such message. <a href="/">All messages</a></p>'
    return _render("Not found", subtitle="not found", content=content)


def describe_findings(message: StoredMessage) -> list[tuple[str, str]]:
    """Return what was found out, as name and words."""
    verdict, delivery = message.verdict, message.delivery
    signatures = [(_signature_name(each), f"{each.result}: {_signature_words(each)}") for each in verdict.dkim]
    sender = delivery.mail_from.rpartition("@")[2] or delivery.greeting
    spf = verdict.spf_problem or f"{delivery.peer_address} sends for {sender}"
    return [
        *(signatures or [("DKIM", "none: the message is not signed")]),
        ("SPF", f"{verdict.spf}: {spf}"),
        ("TLS", delivery.tls or "none: it came in the clear"),
        ("Sender", f"<{delivery.mail_from}> from {delivery.greeting} [{delivery.peer_address}]"),
        ("Authentication-Results", verdict.authentication_results),
    ]


def _signature_name(signature: SignatureVerdict) -> str:
    return f"DKIM {signature.algorithm}".strip()


def _signature_words(signature: SignatureVerdict) -> str:
    return f"{signature.reason}, selector {signature.selector}" if signature.selector else signature.reason


def _render_row(message: StoredMessage) -> str:
    fields = read_fields(message.head)
    return _ROW.substitute(
        number=str(message.number),
        author=_safe(find_field(fields, "from") or "(no author)"),
        at=_safe(f"{message.delivery.at:%H:%M:%S} UTC"),
        subject=_safe(find_field(fields, "subject") or "(no subject)"),
        badges=_render_badges(message),
    )


def _render_badges(message: StoredMessage) -> str:
    verdict = message.verdict
    badges = [(f"DKIM {each.algorithm.partition('-')[0]} {each.result}", each.is_pass) for each in verdict.dkim]
    badges = badges or [("DKIM none", False)]
    badges += [(f"SPF {verdict.spf}", verdict.spf == "pass")]
    badges += [(message.delivery.tls.partition(" ")[0] or "no TLS", bool(message.delivery.tls))]
    return " ".join([f'<span class="{"good" if is_good else "bad"}">{_safe(text)}</span>' for text, is_good in badges])


def _render_pair(name: str, value: str) -> str:
    return f"<dt>{_safe(name)}</dt><dd>{_safe(value)}</dd>"


def _render(title: str, *, subtitle: str, content: str, refresh: str = "") -> str:
    return _PAGE.substitute(
        title=_safe(title), style=_STYLE, subtitle=_safe(subtitle), content=content, refresh=refresh
    )


def _safe(text: str) -> str:
    """Escape for element content and quoted attributes alike."""
    return escape(make_printable(text), quote=True)
