"""A domain's whole mail posture: everything the DNS says about its mail, gathered once. Judging it is ``doctor``'s."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Final, Protocol, TypeAlias

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from gatepost.standards.address import Mailbox
from gatepost.standards.dkim.record import KeyRecord, KeyRecordError, load_public_key, parse_key_record
from gatepost.standards.dmarc.record import Policy
from gatepost.standards.dmarc.tree_walk import TreeWalk, find_applied_policy, walk_tree
from gatepost.standards.dns.question import Answer, AnswerStatus, Question, RecordType
from gatepost.standards.dns.records import MX, TXT
from gatepost.standards.spf.cost import SPFCost, count_lookups
from gatepost.standards.spf.evaluate import evaluate
from gatepost.standards.spf.record import is_spf_record
from gatepost.standards.spf.result import SPFResult
from gatepost.tenancy.senders.dns_check import answer_from
from gatepost.tenancy.senders.ports import Resolver

USUAL_SELECTORS: Final = ("default", "dkim", "google", "k1", "mail", "s1", "s2", "selector1", "selector2")
"""Selectors that many services use: tried where nobody says which ones a domain has."""

Network: TypeAlias = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What stands at one name: the texts of the right kind, and why nothing is known if the DNS did not answer."""

    name: str
    texts: tuple[str, ...] = ()
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedKey:
    """A DKIM key record.

    Attributes:
        bits: Its strength, for RSA; 0 for Ed25519, and where there is no usable key.
        problem: Why receivers cannot use it; "" if they can.
    """

    selector: str
    name: str
    record: KeyRecord | None = None
    bits: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """An MTA-STS policy as it was fetched.

    Attributes:
        octets: What was served.
        media_type: As what; "" if that was not said.
        problem: Why there is none to be had; "" if there is.
    """

    octets: bytes = b""
    media_type: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posture:
    """Everything the DNS says about a domain's mail.

    Attributes:
        mail_exchangers: By preference; None if the DNS did not answer, empty if there are none.
        spf: The policies at the domain; more than one is a fault.
        spf_cost: What the policy costs receivers.
        spf_results: What it says of the first address of each network this relay sends from.
        sending_networks: Those networks.
        dkim: Key records found, in the order of the selectors asked for; a selector without a record is left out.
        dkim_failure: Why some selector could not be asked for; "" if all could.
        dmarc: The walk up the tree.
        dmarc_policy: What holds for the domain; None without a record.
        policy_file: The MTA-STS policy; None where no record says that there is one, and so nobody fetches it.
    """

    domain: str
    mail_exchangers: tuple[MX, ...] | None
    spf: Published
    spf_cost: SPFCost
    spf_results: tuple[tuple[Network, SPFResult], ...]
    sending_networks: tuple[Network, ...]
    dkim: tuple[PublishedKey, ...]
    dkim_failure: str
    dmarc: TreeWalk
    dmarc_policy: Policy | None
    mta_sts: Published
    tls_reports: Published
    bimi: Published
    policy_file: PolicyFile | None = None


class PolicyFetcher(Protocol):
    """Fetches MTA-STS policies."""

    async def fetch(self, domain: str) -> PolicyFile:
        """Fetch the policy of a domain over HTTPS, within the fetcher's own bounds of time and size.

        Only from ``mta-sts`` of that domain, whose certificate must be valid for it; redirects are not followed. Never
        raises for what the host does: the answer says it.
        """
        ...


def examine(
    domain: str,
    *,
    selectors: Sequence[str],
    sending_networks: Sequence[Network],
    host_name: str,
    at: datetime,
) -> Generator[Question, Answer, Posture]:
    """Ask the DNS for everything about a domain's mail.

    Args:
        domain: Lower-case A-labels.
        selectors: DKIM selectors to look for.
        sending_networks: What this relay sends from; empty if it is not said.
        host_name: This relay's name, as it says HELO.
        at: The present instant.

    Yields:
        Questions; send the answers in.
    """
    exchangers = yield Question(domain, RecordType.MX)
    spf = yield from _published(domain, is_spf_record)
    cost = yield from count_lookups(domain)
    results = yield from _judge_networks(sending_networks if spf.texts else (), domain, host_name, at)
    keys, failure = yield from _keys(domain, selectors)
    walk = yield from walk_tree(domain)
    policy = yield from find_applied_policy(walk)
    return Posture(
        domain=domain,
        mail_exchangers=_exchangers(exchangers),
        spf=spf,
        spf_cost=cost,
        spf_results=results,
        sending_networks=tuple(sending_networks),
        dkim=keys,
        dkim_failure=failure,
        dmarc=walk,
        dmarc_policy=policy,
        mta_sts=(yield from _published(f"_mta-sts.{domain}", _begins_with("v=STSv1"))),
        tls_reports=(yield from _published(f"_smtp._tls.{domain}", _begins_with("v=TLSRPTv1"))),
        bimi=(yield from _published(f"default._bimi.{domain}", _begins_with("v=BIMI1"))),
    )


async def examine_all(
    examination: Generator[Question, Answer, Posture], resolver: Resolver, fetcher: PolicyFetcher
) -> Posture:
    """Run ``examine`` to its end, its questions answered by ``resolver``, and fetch the policy that it tells of."""
    posture = await answer_from(resolver, examination)
    if not posture.mta_sts.texts:
        return posture
    return replace(posture, policy_file=await fetcher.fetch(posture.domain))


def _begins_with(version: str) -> Callable[[bytes], bool]:
    return lambda text: text.partition(b";")[0].strip() == version.encode("ascii")


def _published(name: str, is_meant: Callable[[bytes], bool]) -> Generator[Question, Answer, Published]:
    answer = yield Question(name, RecordType.TXT)
    if answer.status is AnswerStatus.FAILED:
        return Published(name=name, failure=answer.detail or "failed")
    texts = [record.text for record in answer.records if isinstance(record, TXT) and is_meant(record.text)]
    return Published(name=name, texts=tuple([text.decode("utf-8", "replace") for text in texts]))


def _judge_networks(
    networks: Sequence[Network], domain: str, host_name: str, at: datetime
) -> Generator[Question, Answer, tuple[tuple[Network, SPFResult], ...]]:
    sender = Mailbox(local_part="postmaster", domain=domain)
    results: list[tuple[Network, SPFResult]] = []
    for network in networks:
        result = yield from evaluate(network[0], sender, helo=host_name, at=at, receiver=host_name)
        results.append((network, result))
    return tuple(results)


def _keys(domain: str, selectors: Sequence[str]) -> Generator[Question, Answer, tuple[tuple[PublishedKey, ...], str]]:
    found, failure = [], ""
    for selector in dict.fromkeys(selectors):
        name = f"{selector}._domainkey.{domain}"
        answer = yield Question(name, RecordType.TXT)
        texts = [record.text for record in answer.records if isinstance(record, TXT)]
        if answer.status is AnswerStatus.FAILED:
            failure = failure or f"the DNS did not answer for TXT of {name}: {answer.detail or 'failed'}"
        elif len(texts) > 1:
            problem = f"there are {len(texts)} records, so that receivers may take any of them"
            found.append(PublishedKey(selector=selector, name=name, problem=problem))
        elif texts:
            found.append(_read_key(selector, name, texts[0]))
    return tuple(found), failure


def _read_key(selector: str, name: str, text: bytes) -> PublishedKey:
    try:
        record = parse_key_record(text)
        if record.is_revoked:
            return PublishedKey(selector=selector, name=name, record=record)
        key = load_public_key(record)
    except KeyRecordError as error:
        return PublishedKey(selector=selector, name=name, problem=str(error))
    bits = key.key_size if isinstance(key, RSAPublicKey) else 0
    return PublishedKey(selector=selector, name=name, record=record, bits=bits)


def _exchangers(answer: Answer) -> tuple[MX, ...] | None:
    if answer.status is AnswerStatus.FAILED:
        return None
    records = [record for record in answer.records if isinstance(record, MX)]
    return tuple(sorted(records, key=lambda record: record.preference))
