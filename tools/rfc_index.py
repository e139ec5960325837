"""docs/reference/standards.md: which section of which RFC is cited where, from the citations in src."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

SOURCE: Final = Path(__file__).parents[1] / "src" / "gatepost"

INTRODUCTION = """\
# Standards

Made from the citations in `src/gatepost` by `tools/rfc_index.py`; do not edit. Where the code breaks a
rule of an RFC, a comment says `Deviation:` and why.
"""

TITLES: Final = {
    1034: "Domain names: concepts and facilities",
    1035: "Domain names: implementation and specification",
    1123: "Requirements for Internet hosts: application and support",
    1428: "Transition of Internet mail from just-send-8 to 8-bit SMTP/MIME",
    1870: "SMTP extension: message size declaration",
    1912: "Common DNS errors",
    2034: "SMTP extension: enhanced error codes",
    2045: "MIME: format of message bodies",
    2046: "MIME: media types",
    2047: "MIME: message header extensions for non-ASCII text",
    2136: "Dynamic updates in the DNS",
    2183: "The Content-Disposition header field",
    2231: "MIME: parameter value and encoded word extensions",
    2308: "Negative caching of DNS queries",
    2387: "The multipart/related content type",
    2920: "SMTP extension: command pipelining",
    3030: "SMTP extensions: large and binary MIME messages",
    3207: "SMTP extension: SMTP over TLS",
    3339: "Date and time on the Internet: timestamps",
    3463: "Enhanced mail system status codes",
    3596: "DNS extensions to support IPv6",
    3696: "Techniques for checking and transformation of names",
    3848: "ESMTP and LMTP transmission types registration",
    4013: "SASLprep: stringprep profile for user names and passwords",
    4291: "IPv6 addressing architecture",
    4343: "DNS case insensitivity clarification",
    4422: "SASL: Simple Authentication and Security Layer",
    4616: "The PLAIN SASL mechanism",
    4226: "HOTP: one-time passwords by counter",
    4648: "Base16, Base32 and Base64 encodings",
    4954: "SMTP extension: authentication",
    5248: "Registry for SMTP enhanced status codes",
    5321: "Simple Mail Transfer Protocol",
    5322: "Internet Message Format",
    5869: "HKDF: extract-and-expand key derivation",
    5890: "IDNA: definitions and document framework",
    5891: "IDNA: protocol",
    6152: "SMTP extension: 8-bit MIME transport",
    6238: "TOTP: one-time passwords by time",
    6376: "DomainKeys Identified Mail (DKIM) signatures",
    6409: "Message submission for mail",
    6531: "SMTP extension: internationalized email",
    6532: "Internationalized email headers",
    6647: "Email greylisting",
    6698: "DANE: TLSA",
    6750: "OAuth 2.0: bearer token usage",
    6761: "Special-use domain names",
    6838: "Media type specifications and registration procedures",
    6891: "Extension mechanisms for DNS (EDNS(0))",
    7208: "Sender Policy Framework (SPF)",
    7239: "Forwarded HTTP extension",
    7435: "Opportunistic security",
    7489: "DMARC, as it was until 2026",
    7505: "Null MX: a domain that takes no mail",
    7617: "The Basic HTTP authentication scheme",
    7686: "The .onion special-use domain name",
    7766: "DNS transport over TCP",
    8020: "NXDOMAIN: there is nothing underneath",
    8264: "PRECIS framework",
    8017: "PKCS #1: RSA Cryptography Specifications",
    8301: "Cryptographic algorithm and key usage update to DKIM",
    8314: "Cleartext considered obsolete: TLS for submission and access",
    8446: "TLS 1.3",
    8460: "SMTP TLS reporting",
    8461: "MTA-STS",
    8463: "Ed25519-SHA256 for DKIM",
    8482: "Minimal answers to ANY",
    8601: "Authentication-Results",
    8616: "Email authentication for internationalized mail",
    8945: "TSIG: signed DNS messages",
    9106: "Argon2",
    9110: "HTTP semantics",
    9476: "The .alt special-use top-level domain",
    9525: "Service identity in TLS",
    9619: "In the DNS, QDCOUNT is one",
    9989: "DMARC",
    9990: "DMARC aggregate reports",
}
"""What each cited RFC is about; one that is missing here has to be added with its first citation."""

_CITATION: Final = re.compile(r"RFC (\d+)((?:(?:,? and|,)? §\d+(?:\.\d+)*(?:[-–]\d+)?)*)")
_SECTION: Final = re.compile(r"§(\d+(?:\.\d+)*)")


class Citation(NamedTuple):
    """A section of an RFC; "" is the whole of it."""

    rfc: int
    section: str


def find_citations(text: str) -> Iterator[Citation]:
    """Yield what a text cites, ``RFC 5321 §4.1.4, §4.5.3``; a citation may run over the end of a comment's line."""
    joined = re.sub(r"\s*\n\s*(?:#:? )?", " ", text)
    for number, sections in _CITATION.findall(joined):
        for section in _SECTION.findall(sections) or [""]:
            yield Citation(int(number), section)


def render() -> str:
    """Return the whole table. Raises KeyError for an RFC that has no title above."""
    places: dict[Citation, set[str]] = defaultdict(set)
    for path in sorted(SOURCE.rglob("*.py")):
        for citation in find_citations(path.read_text(encoding="utf-8")):
            places[citation].add(path.relative_to(SOURCE).as_posix())
    numbers = sorted({citation.rfc for citation in places})
    return "\n".join([INTRODUCTION, *(line for number in numbers for line in _table(number, places))])


def _table(number: int, places: dict[Citation, set[str]]) -> Iterator[str]:
    yield f"## RFC {number}: {TITLES[number]}\n"
    yield "| section | cited in |\n|---|---|"
    for citation in sorted((one for one in places if one.rfc == number), key=_order):
        section = f"§{citation.section}" if citation.section else "the whole"
        yield f"| {section} | {_files(places[citation])} |"
    yield ""


def _files(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _order(citation: Citation) -> list[int]:
    return [int(part) for part in citation.section.split(".") if part]
