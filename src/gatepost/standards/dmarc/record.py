"""The policy record as a value: what ``_dmarc.domain`` publishes (RFC 9989 §4.7, §4.8)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeVar

_VERSION = re.compile(rb"[ \t]*v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z]+")
_MAILTO = re.compile(r"mailto:[^\s,;!@]+@[^\s,;!@]+", re.IGNORECASE)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s,;!]+")

REMOVED_TAGS: Final = frozenset({"pct", "rf", "ri"})
"""Tags of RFC 7489 that RFC 9989 took away (appendix C): receivers pay no attention to them any more."""

E = TypeVar("E", bound=Enum)


class DMARCSyntaxError(ValueError):
    """The text is no usable policy record; the message says why, in words for a postmaster."""


class Policy(Enum):
    """What the owner asks receivers to do with mail that fails."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"


class AlignmentMode(Enum):
    """How closely an authenticated domain has to agree with the author's."""

    RELAXED = "r"
    STRICT = "s"


class PublicSuffixDomain(Enum):
    """What the owner says about the place of the domain in the tree (``psd=``)."""

    YES = "y"
    #: The organisational domain itself, whatever else is above it.
    NO = "n"
    UNSAID = "u"


@dataclass(frozen=True, slots=True, kw_only=True)
class DMARCRecord:
    """One policy record.

    Attributes:
        policy: For the domain itself (``p=``).
        subdomain_policy: For names below it; the policy itself unless ``sp=`` says otherwise.
        nonexistent_policy: For names below it that do not exist; the subdomains' unless ``np=`` says otherwise.
        is_testing: The owner asks for one step less than the policy (``t=y``).
        aggregate_reports: Where to send them, as URIs (``rua=``).
        failure_reports: Likewise (``ruf=``).
        faults: What was passed over while reading, each in words for a postmaster.
    """

    policy: Policy
    subdomain_policy: Policy
    nonexistent_policy: Policy
    dkim_alignment: AlignmentMode = AlignmentMode.RELAXED
    spf_alignment: AlignmentMode = AlignmentMode.RELAXED
    psd: PublicSuffixDomain = PublicSuffixDomain.UNSAID
    is_testing: bool = False
    aggregate_reports: tuple[str, ...] = ()
    failure_reports: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def is_dmarc_record(text: bytes) -> bool:
    """Say whether a TXT record is meant as a policy record: ``v=DMARC1`` comes first, in upper case (§4.7)."""
    found = _VERSION.match(text)
    return found is not None and b"DMARC1" in found.group()


def parse_dmarc_record(text: bytes) -> DMARCRecord:
    """Read a TXT record.

    Unknown tags are ignored and broken ones have their default (§4.8). A record without a valid ``p=``, or with an
    invalid ``sp=`` or ``np=``, stands for ``p=none`` if it names an address for reports; otherwise it is none (§4.7).

    Raises:
        DMARCSyntaxError: It is none.
    """
    if not is_dmarc_record(text):
        raise DMARCSyntaxError("it does not begin with v=DMARC1")
    faults: list[str] = []
    tags = _tags(text.decode("ascii", "replace"), faults)
    aggregate = _uris(tags, "rua", faults)
    policies = _policies(tags, faults)
    if policies is None:
        if not aggregate:
            raise DMARCSyntaxError("; ".join(faults) or "it says no policy (p=)")
        policies = (Policy.NONE, Policy.NONE, Policy.NONE)
    policy, of_subdomains, of_nonexistent = policies
    return DMARCRecord(
        policy=policy,
        subdomain_policy=of_subdomains,
        nonexistent_policy=of_nonexistent,
        dkim_alignment=_word(tags, "adkim", AlignmentMode, AlignmentMode.RELAXED, faults),
        spf_alignment=_word(tags, "aspf", AlignmentMode, AlignmentMode.RELAXED, faults),
        psd=_word(tags, "psd", PublicSuffixDomain, PublicSuffixDomain.UNSAID, faults),
        is_testing=_word(tags, "t", _Testing, _Testing.NO, faults) is _Testing.YES,
        aggregate_reports=aggregate,
        failure_reports=_uris(tags, "ruf", faults),
        faults=tuple(faults),
    )


class _Testing(Enum):
    YES = "y"
    NO = "n"


def _tags(text: str, faults: list[str]) -> dict[str, str]:
    tags: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        name, equals, value = part.partition("=")
        key = name.strip().lower()
        if not equals or not _NAME.fullmatch(key):
            faults.append(f"{_shown(part)} is not of the form name=value")
        elif key in tags:
            faults.append(f"{key}= occurs twice; the first one counts")
        else:
            tags[key] = value.strip()
            if key in REMOVED_TAGS:
                faults.append(f"{key}= means nothing since RFC 9989")
    return tags


def _policies(tags: Mapping[str, str], faults: list[str]) -> tuple[Policy, Policy, Policy] | None:
    """Return those for the domain, for names below it, and for names that do not exist; None if one is invalid."""
    said: dict[str, Policy] = {}
    before = len(faults)
    for name in ("p", "sp", "np"):
        if name in tags and (policy := _member(Policy, tags[name])) is not None:
            said[name] = policy
        elif name in tags:
            faults.append(f"{name}={_shown(tags[name])} is none of none, quarantine and reject")
    if "p" not in tags:
        faults.append("it says no policy (p=)")
    if len(faults) > before:
        return None
    of_subdomains = said.get("sp", said["p"])
    return said["p"], of_subdomains, said.get("np", of_subdomains)


def _word(tags: Mapping[str, str], name: str, kind: Callable[[str], E], otherwise: E, faults: list[str]) -> E:
    if name not in tags:
        return otherwise
    try:
        return kind(tags[name].lower())
    except ValueError:
        faults.append(f"{name}={_shown(tags[name])} is not a value of that tag; {name}={otherwise.value} stands")
        return otherwise


def _member(kind: Callable[[str], E], word: str) -> E | None:
    try:
        return kind(word.lower())
    except ValueError:
        return None


def _uris(tags: Mapping[str, str], name: str, faults: list[str]) -> tuple[str, ...]:
    if name not in tags:
        return ()
    uris = []
    for written in map(str.strip, tags[name].split(",")):
        # RFC 7489 let a size limit follow an exclamation mark; RFC 9990 has readers drop it.
        uri = written.partition("!")[0]
        valid = _MAILTO if uri[:7].lower() == "mailto:" else _URI
        if valid.fullmatch(uri):
            uris.append(uri)
        else:
            faults.append(f"{name}= names {_shown(written)}, which is no URI such as mailto:reports@example.com")
    return tuple(uris)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
