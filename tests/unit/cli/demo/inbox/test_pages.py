import re
from base64 import b64encode
from collections import Counter
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from gatepost.cli.demo.inbox.pages import (
    CONTENT_SECURITY_POLICY,
    describe_findings,
    render_list,
    render_message,
    render_missing,
)
from gatepost.cli.demo.inbox.reading import ReadMessage, read_message
from gatepost.cli.demo.inbox.verdict import SignatureVerdict

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><script>alert(1)</script>",
    "</title></head><body><iframe src=//x.example>",
    "</pre><a href=javascript:alert(1)>x</a>",
    "$style $content ${subject} $$",
    "&lt;script&gt; &amp;",
    "<!-- --><base href=//x.example>",
]


class Seen(HTMLParser):
    """Elements, attributes and text, as a browser would see them."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.elements, self.attributes, self.text = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture
def harmless(store_message):
    message = store_message()
    return Seen(render_message(message, read_message(message.head))), Seen(render_list([message]))


@pytest.mark.parametrize("text", HOSTILE)
def test_what_mail_holds_is_text_and_changes_no_element(text, store_message, harmless):
    octets = f"From: {text}\r\nSubject: {text}\r\nX: {text}\r\nContent-Type: text/plain\r\n\r\n{text}\r\n".encode()
    signature = SignatureVerdict(result="pass", domain=text, selector=text, algorithm="rsa-sha256", reason=text)
    hostile = {"mail_from": text, "greeting": text, "tls": text, "recipients": (text,)}
    message = store_message(octets, delivery=hostile, dkim=(signature,))
    read = read_message(octets)

    page, listed = Seen(render_message(message, read)), Seen(render_list([message]))

    two_more_fields = Counter({"dt": 2, "dd": 2})
    assert Counter(page.elements) == Counter(harmless[0].elements) + two_more_fields
    assert listed.elements == harmless[1].elements
    assert page.text.count(text) >= 3
    assert {name for name, _ in page.attributes + listed.attributes} <= {
        "lang", "charset", "name", "content", "class", "href", "http-equiv",
    }  # fmt: skip


def test_links_lead_only_to_this_page(store_message):
    message = store_message(b"Subject: https://x.example/\r\n\r\nhttps://x.example/\r\n")

    links = dict(Seen(render_message(message, read_message(message.head))).attributes)

    assert links["href"] == "/message/1/source"


def test_policy_permits_nothing_but_the_style_of_the_page(store_message):
    style = re.search(r"<style>(.*?)</style>", render_list([store_message()]), re.DOTALL)[1]
    digest = b64encode(sha256(style.encode()).digest()).decode()

    assert CONTENT_SECURITY_POLICY.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert "unsafe" not in CONTENT_SECURITY_POLICY


def test_style_loads_nothing(store_message):
    assert "url(" not in render_list([])
    assert "@import" not in render_list([])


def test_newest_message_is_listed_with_its_verdicts(store_message):
    page = render_list([store_message(number=7)])

    assert 'href="/message/7"' in page
    for badge in ("DKIM rsa pass", "SPF pass", "TLSv1.3"):
        assert f'<span class="good">{badge}</span>' in page


def test_what_failed_is_marked(store_message):
    failed = SignatureVerdict(result="fail", domain="d", selector="s", algorithm="rsa-sha256", reason="changed")

    page = render_list([store_message(dkim=(failed,), delivery={"tls": ""})])

    assert '<span class="bad">DKIM rsa fail</span>' in page
    assert '<span class="bad">no TLS</span>' in page


def test_unsigned_message_is_said_to_be(store_message):
    assert ("DKIM", "none: the message is not signed") in describe_findings(store_message(dkim=()))


def test_note_stands_over_the_text(store_message):
    page = render_message(store_message(), ReadMessage(fields=(), text="t", note="cut & dried"))

    assert '<p class="note">cut &amp; dried</p>' in page


def test_empty_inbox_says_so():
    assert "No mail yet." in render_list([])


def test_missing_message_leads_back():
    assert 'href="/"' in render_missing()
