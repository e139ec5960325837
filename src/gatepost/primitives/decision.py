"""Allow or Deny: the answer to every question of policy.

A refusal is a value with a reason, never an exception and never a text: wording is put to it where it leaves the
program (``entrypoints/smtp/reply_texts.py``).
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Allow:
    """Yes. Truthy."""

    def __bool__(self) -> Literal[True]:
        return True


@dataclass(frozen=True, slots=True)
class Deny:
    """No, and why. Falsy.

    Attributes:
        reason: A member of the refusing package's own enum of reasons.
        detail: What the reply may add for its reader: an address, a header name, a limit. Never a secret, and
            to be escaped where it is printed, because a client may have written it.
    """

    reason: Enum
    detail: str = ""

    def __bool__(self) -> Literal[False]:
        return False


Decision: TypeAlias = Allow | Deny

ALLOW: Final = Allow()
