"""What receivers make of a single sender's mail, by the policy of its domain.

Mail of a single sender is signed by nobody for its domain, and its SPF does not name this service: where the domain's
DMARC policy asks for alignment, receivers put it aside or refuse it. Mailbox providers publish such policies for the
names under which everybody has addresses.
"""

from collections.abc import Generator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from gatepost.standards.dmarc.record import Policy
from gatepost.standards.dmarc.tree_walk import find_applied_policy, walk_tree
from gatepost.standards.dns.question import Answer, Question

#: Names of mailbox providers, as their policies stood in 2026; the DNS is asked where a sender is added.
HARD_FAILURES: Final = (
    "aol.com", "mail.ru", "rocketmail.com", "yahoo.ca", "yahoo.co.in", "yahoo.co.uk", "yahoo.com", "yahoo.de",
    "yahoo.es", "yahoo.fr", "yahoo.it", "ymail.com",
)  # fmt: skip
SOFT_FAILURES: Final = (
    "gmail.com", "googlemail.com", "hotmail.com", "icloud.com", "live.com", "mac.com", "me.com", "msn.com",
    "outlook.com", "proton.me", "protonmail.com",
)  # fmt: skip


class Failure(Enum):
    """How mail of a single sender fares."""

    #: Receivers are told to refuse it.
    HARD = "hard"
    #: Receivers are told to put it aside, or mistrust it by themselves.
    SOFT = "soft"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorPolicy:
    """What was found out. ``published`` says whether by the DNS, or else by the shipped list."""

    failure: Failure
    published: Policy | None


def find_author_policy(domain: str) -> Generator[Question, Answer, AuthorPolicy | None]:
    """Say how mail of a single sender in that domain will fare; None if nothing speaks against it.

    What the DNS publishes wins; where it says nothing stricter, or does not answer, the shipped list stands.

    Yields:
        Questions; send the answers in.
    """
    walk = yield from walk_tree(domain)
    published = None if walk.failure else (yield from find_applied_policy(walk))
    if published is Policy.REJECT:
        return AuthorPolicy(failure=Failure.HARD, published=published)
    if published is Policy.QUARANTINE:
        return AuthorPolicy(failure=Failure.SOFT, published=published)
    if published is None and domain in HARD_FAILURES:
        return AuthorPolicy(failure=Failure.HARD, published=None)
    return AuthorPolicy(failure=Failure.SOFT, published=published) if is_listed(domain) else None


def is_listed(domain: str) -> bool:
    """Say whether the domain is one of the mailbox providers that we know."""
    return domain in HARD_FAILURES or domain in SOFT_FAILURES
