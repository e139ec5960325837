"""How many guesses at a password or a second factor are looked at, in what time, and whose guesses they count as.

The numbers are those that PyPI uses. What is new against a plain limit per user is *whose*: a network from which a
person has signed in before has an account of its own for him, and everybody else's guesses share another. So somebody
who guesses from elsewhere uses up what strangers may do, and never what the person himself may do from where he
usually is. What is counted rests in the database, and is counted before the guess is looked at: neither another
process nor another hundred requests at the same moment get a guess more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Final

KNOWN_FOR: Final = timedelta(days=90)
"""How long a network stays known to a person after the last sign-in from there."""


class AttemptKind(Enum):
    """What is guessed at."""

    PASSWORD = "password"  # noqa: S105 - a kind, not a password
    FACTOR = "factor"
    RESET = "reset"
    TOKEN = "token"  # noqa: S105 - a kind, not a token
    #: Not a guess: a letter to an address that somebody has named, which may be a stranger's.
    SENDER_LETTER = "sender_letter"
    #: Not a guess: a notice of one kind to one person.
    NOTICE = "notice"
    #: Not a guess: that a limit of guesses was written down.
    LIMIT_NOTED = "limit_noted"


@dataclass(frozen=True, slots=True)
class Window:
    """At most so many in that time."""

    count: int
    time: timedelta


_MINUTES: Final = timedelta(minutes=5)
_DAY: Final = timedelta(days=1)

PER_USER: Final[dict[AttemptKind, tuple[Window, ...]]] = {
    AttemptKind.PASSWORD: (Window(10, _MINUTES),),
    AttemptKind.FACTOR: (Window(5, _MINUTES), Window(20, timedelta(hours=1)), Window(50, _DAY)),
    AttemptKind.RESET: (Window(5, _DAY),),
    AttemptKind.TOKEN: (),
    AttemptKind.SENDER_LETTER: (Window(5, _DAY),),
    AttemptKind.NOTICE: (Window(5, timedelta(hours=1)), Window(10, _DAY)),
    AttemptKind.LIMIT_NOTED: (Window(1, _DAY),),
}
PER_ADDRESS: Final[dict[AttemptKind, tuple[Window, ...]]] = {
    AttemptKind.PASSWORD: (Window(10, _MINUTES),),
    AttemptKind.FACTOR: (),
    AttemptKind.RESET: (Window(10, timedelta(hours=1)),),
    AttemptKind.TOKEN: (Window(10, _MINUTES),),
    AttemptKind.SENDER_LETTER: (Window(50, _DAY),),
    AttemptKind.NOTICE: (),
    AttemptKind.LIMIT_NOTED: (),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One thing that an attempt counts against."""

    subject: str
    windows: tuple[Window, ...]


def count_as(
    kind: AttemptKind, user: str, network: str, *, is_known: bool, keyed_hash: Callable[[bytes], bytes]
) -> tuple[Counted, ...]:
    """Say against what an attempt counts.

    Args:
        kind: What is guessed at.
        user: The person's id, or what was given for a name where there is no such person: both are limited alike.
            "" where the attempt is at nobody in particular.
        network: Where it comes from (``network_of``).
        is_known: Whether that person has signed in from there.
        keyed_hash: Names that people type are not kept.
    """
    counted = []
    if PER_USER[kind] and user:
        whose = f"{user}\n{network}" if is_known else user
        counted.append(Counted(subject=_subject("user", whose, keyed_hash), windows=PER_USER[kind]))
    if PER_ADDRESS[kind]:
        counted.append(Counted(subject=_subject("network", network, keyed_hash), windows=PER_ADDRESS[kind]))
    return tuple(counted)


def network_of(peer: IPv4Address | IPv6Address) -> str:
    """Return the least that one household or office commonly has for itself: an IPv4 address, an IPv6 /64."""
    if isinstance(peer, IPv6Address) and peer.ipv4_mapped:
        peer = peer.ipv4_mapped
    return str(peer) if isinstance(peer, IPv4Address) else f"{IPv6Address(int(peer) >> 64 << 64)}/64"


def _subject(kind: str, name: str, keyed_hash: Callable[[bytes], bytes]) -> str:
    return keyed_hash(f"gatepost attempt\n{kind}\n{name}".encode("utf-8", "surrogatepass")).hex()[:32]
