"""The policy record as a value: parsed strictly, printed (RFC 7208 §3, §4.5, §4.6, §5, §6)."""

import re
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Network, IPv6Network

from gatepost.standards.spf.macro import MacroError, check_domain_spec, check_macro_string

_VERSION = re.compile(rb"v=spf1(?: .*)?", re.IGNORECASE | re.DOTALL)
_TERM = re.compile(r"([-+?~]?)([a-z][a-z0-9_.-]*)(?:([=:/])(.*))?", re.IGNORECASE)
_WITH_PREFIXES = re.compile(r"(.*?)(?:/(0|[1-9][0-9]?))?(?://(0|[1-9][0-9]{0,2}))?")
_IP4 = re.compile(r"[0-9.]+(?:/(?:0|[1-9][0-9]?))?")
_IP6 = re.compile(r"[0-9a-f:.]+(?:/(?:0|[1-9][0-9]{0,2}))?", re.IGNORECASE)


class SPFSyntaxError(ValueError):
    """The text is no SPF record of version 1; the message names the term at fault."""


class Qualifier(Enum):
    """What a mechanism that matches means."""

    PASS = "+"  # noqa: S105 - a sign, not a password
    FAIL = "-"
    SOFTFAIL = "~"
    NEUTRAL = "?"


class MechanismName(Enum):
    """The mechanisms of RFC 7208 §5."""

    ALL = "all"
    INCLUDE = "include"
    A = "a"
    MX = "mx"
    PTR = "ptr"
    IP4 = "ip4"
    IP6 = "ip6"
    EXISTS = "exists"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanism:
    """One mechanism.

    Attributes:
        domain_spec: The domain with its macros as written; "" where the mechanism has none: the domain evaluated.
        network: For ip4 and ip6.
        prefix4: For a and mx: how many bits of an IPv4 address must agree.
        prefix6: For a and mx: how many bits of an IPv6 address must agree.
    """

    name: MechanismName
    qualifier: Qualifier = Qualifier.PASS
    domain_spec: str = ""
    network: IPv4Network | IPv6Network | None = None
    prefix4: int = 32
    prefix6: int = 128

    def __str__(self) -> str:
        text = self.name.value if self.qualifier is Qualifier.PASS else self.qualifier.value + self.name.value
        if self.network is not None:
            host = self.network.prefixlen == self.network.max_prefixlen
            return f"{text}:{self.network.network_address if host else self.network}"
        text += f":{self.domain_spec}" if self.domain_spec else ""
        text += f"/{self.prefix4}" if self.prefix4 < 32 else ""
        return text + (f"//{self.prefix6}" if self.prefix6 < 128 else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SPFRecord:
    """One policy. ``redirect`` and ``explanation`` (``exp=``) hold domains with their macros as written, or ""."""

    mechanisms: tuple[Mechanism, ...]
    redirect: str = ""
    explanation: str = ""

    def __str__(self) -> str:
        terms = ["v=spf1", *map(str, self.mechanisms)]
        terms += [f"redirect={self.redirect}"] if self.redirect else []
        terms += [f"exp={self.explanation}"] if self.explanation else []
        return " ".join(terms)


def is_spf_record(text: bytes) -> bool:
    """Say whether a TXT record is an SPF record of version 1, well-formed or not (RFC 7208 §4.5)."""
    return _VERSION.fullmatch(text) is not None


def parse_spf_record(text: bytes) -> SPFRecord:
    """Read a TXT record for which ``is_spf_record`` holds.

    Raises:
        SPFSyntaxError: A term is malformed anywhere in the record: receivers then heed none of it (§4.6).
    """
    if not is_spf_record(text):
        raise SPFSyntaxError("the record does not begin with v=spf1")
    try:
        terms = text.decode("ascii").split(" ")[1:]
    except UnicodeDecodeError:
        raise SPFSyntaxError("the record holds a character that is not ASCII") from None
    mechanisms: list[Mechanism] = []
    modifiers: dict[str, str] = {}
    for term in filter(None, terms):
        match = _TERM.fullmatch(term)
        if match is None:
            raise SPFSyntaxError(f"{term!r} is neither a mechanism nor a modifier")
        try:
            if match[3] == "=":
                _take_modifier(modifiers, match[1] + match[2].lower(), match[4])
            else:
                mechanisms.append(_mechanism(match))
        except MacroError as error:
            raise SPFSyntaxError(f"in {term!r}: {error}") from None
        except ValueError:
            raise SPFSyntaxError(f"{term!r} is malformed") from None
    return SPFRecord(
        mechanisms=tuple(mechanisms),
        redirect=modifiers.get("redirect", ""),
        explanation=modifiers.get("exp", ""),
    )


def _take_modifier(modifiers: dict[str, str], name: str, value: str) -> None:
    """Check a modifier and keep it if we know it; an unknown one must still be a macro string (§6)."""
    if not name[0].isalpha():
        raise ValueError(name)
    if name not in ("redirect", "exp"):
        check_macro_string(value)
    elif name in modifiers:
        raise ValueError(name)
    else:
        check_domain_spec(value)
        modifiers[name] = value


def _mechanism(match: re.Match[str]) -> Mechanism:
    """Build a mechanism from the groups of ``_TERM``; ValueError if its parts do not go with its name."""
    qualifier, name = Qualifier(match[1] or "+"), MechanismName(match[2].lower())
    separator, rest = match[3] or "", match[4] or ""
    if name is MechanismName.ALL:
        if separator:
            raise ValueError(rest)
        return Mechanism(name=name, qualifier=qualifier)
    if name in (MechanismName.IP4, MechanismName.IP6):
        return Mechanism(name=name, qualifier=qualifier, network=_network(name, separator, rest))
    prefixes: tuple[int, int] = (32, 128)
    if name in (MechanismName.A, MechanismName.MX):
        rest = rest if separator == ":" else separator + rest
        domain_spec, prefixes = _split_prefixes(rest)
        needs_domain = separator == ":"
    else:
        if separator == "/":
            raise ValueError(rest)
        domain_spec = rest
        needs_domain = separator == ":" or name is not MechanismName.PTR
    if needs_domain:
        check_domain_spec(domain_spec)
    elif domain_spec:
        raise ValueError(domain_spec)
    return Mechanism(name=name, qualifier=qualifier, domain_spec=domain_spec, prefix4=prefixes[0], prefix6=prefixes[1])


def _network(name: MechanismName, separator: str, text: str) -> IPv4Network | IPv6Network:
    if separator != ":":
        raise ValueError(text)
    if name is MechanismName.IP4 and _IP4.fullmatch(text):
        return IPv4Network(text, strict=False)
    if name is MechanismName.IP6 and _IP6.fullmatch(text):
        return IPv6Network(text, strict=False)
    raise ValueError(text)


def _split_prefixes(text: str) -> tuple[str, tuple[int, int]]:
    match = _WITH_PREFIXES.fullmatch(text)
    if match is None:  # pragma: no cover - the first group takes anything but a line end, and there is none
        raise ValueError(text)
    prefix4, prefix6 = int(match[2] or 32), int(match[3] or 128)
    if prefix4 > 32 or prefix6 > 128:
        raise ValueError(text)
    return match[1], (prefix4, prefix6)
