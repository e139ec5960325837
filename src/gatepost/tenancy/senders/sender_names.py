"""Which mail is in a name: how a right that ended, or came back, finds the mail that rests on it."""

from dataclasses import dataclass

from gatepost.standards.dns.names import ancestors


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderNames:
    """Mail in some name: its author, or its reverse-path, is one of these addresses.

    Attributes:
        name: With ``@``, exactly that address, its local part to the letter; without, all addresses in that domain
            and below it.
        excluded: Of those, what is not meant, written the same way: domains that speak for themselves, addresses
            that were proved one by one.
        all_of_them: Whether all addresses of a message must be meant, not one of them: for what may go out again.
    """

    name: str
    excluded: frozenset[str] = frozenset()
    all_of_them: bool = False

    def mean(self, author: str | None, reverse_path: str | None) -> bool:
        """Say whether a message is meant.

        Args:
            author: As ``str(Mailbox)`` writes it; None where the queue does not know, which nothing means.
            reverse_path: None if it is the author's, or the null one.
        """
        known = [address for address in (author, reverse_path) if address is not None]
        if self.all_of_them:
            return bool(known) and all(self._has(address) for address in known)
        return any(self._has(address) for address in known)

    def _has(self, address: str) -> bool:
        domain = address.rpartition("@")[2]
        at_or_above = {address, domain, *ancestors(domain)}
        return self.name in at_or_above and self.excluded.isdisjoint(at_or_above)
