"""Argon2id, away from the event loop.

64 MiB, 3 passes, one lane: RFC 9106 §4's second recommendation but for the lanes, which buy nothing where several
workers share the cores. Two run at a time in a process, and a few wait; beyond that the answer is to come again, so
that guesses cannot take the memory or the cores that mail needs.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gatepost.primitives.entropy import Entropy
from gatepost.primitives.errors import Transient
from gatepost.primitives.secret import Secret
from gatepost.tenancy.accounts.password import normalize

AT_ONCE: Final = 2
_MAX_WAITING: Final = 16

T = TypeVar("T")


class Argon2PasswordHash:
    """Implements PasswordHash; for one event loop."""

    def __init__(self, entropy: Entropy, *, memory_kib: int = 64 * 1024, passes: int = 3, lanes: int = 1) -> None:
        self._hasher: Final = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=lanes)
        self._entropy: Final = entropy
        self._threads: Final = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")
        self._waiting = 0
        self._nobodys: str | None = None

    async def hash(self, password: Secret[str]) -> str:
        """Return the hash in its own spelling, with its parameters and salt."""
        return await self._run(lambda: self._hash(password))

    async def verify(self, encoded: str | None, password: Secret[str]) -> bool:
        """Say whether a password fits; without a hash it is compared with one that no password is known for."""
        return await self._run(lambda: self._verify(encoded, password))

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= AT_ONCE + _MAX_WAITING:
            raise Transient("too many passwords are being checked")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

    def _hash(self, password: Secret[str]) -> str:
        return self._hasher.hash(_octets(password), salt=self._entropy.draw(16))

    def _verify(self, encoded: str | None, password: Secret[str]) -> bool:
        if encoded is None:
            # Made at the first need, and kept: from then on nobody's password costs what anybody's does.
            self._nobodys = self._nobodys or self._hasher.hash(self._entropy.draw(32), salt=self._entropy.draw(16))
        try:
            self._hasher.verify(encoded or self._nobodys or "", _octets(password))
        except (VerificationError, InvalidHashError):
            return False
        return encoded is not None


def _octets(password: Secret[str]) -> bytes:
    return normalize(password.reveal()).encode("utf-8", "surrogatepass")
