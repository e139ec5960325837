"""What a receiver finds out about a message: its DKIM signatures and SPF; and the words for it (RFC 8601)."""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Protocol, TypeVar

from gatepost.standards.address import Mailbox
from gatepost.standards.dkim import Verification, verify
from gatepost.standards.dns.question import Answer, Question
from gatepost.standards.spf import SPFResult, evaluate
from gatepost.tenancy.senders.ports import Resolver

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How a message came.

    Attributes:
        tls: Protocol and cipher; "" if it came in the clear.
        mail_from: "" for the null reverse-path.
    """

    at: datetime
    peer_address: str
    greeting: str
    tls: str
    mail_from: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureVerdict:
    """What became of one DKIM signature; domain, selector and algorithm are "" where the field could not be read."""

    result: str
    domain: str
    selector: str
    algorithm: str
    reason: str

    @property
    def is_pass(self) -> bool:
        """Whether it proves what it says."""
        return self.result == "pass"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the inbox found out about one message.

    Attributes:
        dkim: One verdict a signature, from the top.
        spf: The result word of RFC 7208.
        authentication_results: All of it as the header field's body would say it (RFC 8601). The stored message
            itself stays as it came, octet for octet, so that any verifier can be tried on it.
    """

    dkim: tuple[SignatureVerdict, ...]
    spf: str
    spf_problem: str
    authentication_results: str


class Checks(Protocol):
    """Finds out about a message."""

    async def __call__(self, message: bytes, delivery: Delivery, sender: Mailbox | None) -> Verdict:
        """Return the verdict; never raises for what the message or the DNS holds."""
        ...


async def check_message(
    message: bytes, delivery: Delivery, sender: Mailbox | None, *, resolver: Resolver, host_name: str
) -> Verdict:
    """Check a message's signatures, and whether its sender's domain lets the client send."""
    signatures = await _answered(verify(message, at=delivery.at), resolver)
    client = ip_address(delivery.peer_address)
    spf = await _answered(
        evaluate(client, sender, helo=delivery.greeting, at=delivery.at, receiver=host_name), resolver
    )
    return judge(signatures, spf, delivery=delivery, host_name=host_name)


def judge(signatures: tuple[Verification, ...], spf: SPFResult, *, delivery: Delivery, host_name: str) -> Verdict:
    """Put the results together."""
    dkim = tuple([_judge_signature(result) for result in signatures])
    identity = f"smtp.mailfrom={delivery.mail_from}" if delivery.mail_from else f"smtp.helo={delivery.greeting}"
    words = [
        *([_describe(signature) for signature in dkim] or ["dkim=none"]),
        f"spf={spf.value.value} {identity}",
    ]
    return Verdict(
        dkim=dkim,
        spf=spf.value.value,
        spf_problem=spf.problem,
        authentication_results="; ".join([host_name, *words]),
    )


def _judge_signature(result: Verification) -> SignatureVerdict:
    signature = result.signature
    return SignatureVerdict(
        result=result.status.value,
        domain=signature.domain if signature else "",
        selector=signature.selector if signature else "",
        algorithm=signature.algorithm if signature else "",
        reason=result.reason,
    )


def _describe(signature: SignatureVerdict) -> str:
    if not signature.domain:
        return f"dkim={signature.result}"
    return (
        f"dkim={signature.result} header.d={signature.domain} header.s={signature.selector} "
        f"header.a={signature.algorithm}"
    )


async def _answered(evaluation: Generator[Question, Answer, T], resolver: Resolver) -> T:
    """Run an evaluation to its end, asking the DNS what it wants to know."""
    try:
        question = next(evaluation)
        while True:
            question = evaluation.send(await resolver.resolve(question))
    except StopIteration as end:
        result: T = end.value
        return result
