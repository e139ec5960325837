"""Replies as values (RFC 5321 §4.2, RFC 2034, RFC 3463): build, serialise, parse."""

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Reply:
    """One SMTP reply, of one line or several.

    Attributes:
        code: Three digits, 200–599.
        enhanced: The enhanced status code, "5.7.1"; "" where a reply has none (greeting, EHLO, 3xx, RFC 2034 §4).
        text: What follows the codes; lines are separated by a bare newline and each repeats the codes.
    """

    code: int
    enhanced: str
    text: str

    @cached_property
    def octets(self) -> bytes:
        """The reply as sent, with CRLF after each line."""
        prefix = f"{self.enhanced} " if self.enhanced else ""
        lines = self.text.split("\n")
        rows = [f"{self.code}{'-' if row < len(lines) else ' '}{prefix}{line}" for row, line in enumerate(lines, 1)]
        return ("\r\n".join(rows) + "\r\n").encode("utf-8")

    @property
    def is_positive(self) -> bool:
        """2xx or 3xx."""
        return self.code < 400

    @property
    def is_transient(self) -> bool:
        """4xx: it may work later."""
        return 400 <= self.code < 500

    @property
    def is_permanent(self) -> bool:
        """5xx: it will not work."""
        return self.code >= 500

    def __str__(self) -> str:
        return f"{self.code} {self.enhanced} {self.text}".replace("  ", " ").replace("\n", " ")
