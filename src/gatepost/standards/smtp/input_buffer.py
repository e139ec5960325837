"""Octets received and not yet read: lines are taken out of it, memory stays within a limit."""

from gatepost.standards.smtp.commands import MAX_LINE_OCTETS
from gatepost.standards.smtp.errors import ProtocolViolation
from gatepost.standards.smtp.status_codes import LINE_TOO_LONG, STRAY_OCTET_IN_COMMAND


class InputBuffer:
    """Gives out whole lines; one that grows past ``MAX_LINE_OCTETS`` is dropped while it arrives."""

    __slots__ = ("_is_dropping", "_octets", "_position")

    def __init__(self) -> None:
        self._octets = b""
        self._position = 0  # what stands before it has been read; moving it is cheaper than cutting
        self._is_dropping = False

    def __len__(self) -> int:
        return len(self._octets) - self._position

    def append(self, octets: bytes) -> None:
        """Add what came from the peer."""
        rest = self._octets[self._position :]
        self._octets = rest + octets if rest else octets
        self._position = 0

    def clear(self) -> None:
        """Forget everything unread."""
        self._octets = b""
        self._position = 0
        self._is_dropping = False

    def take_all(self) -> bytes:
        """Take everything unread, whatever it is."""
        octets = self._octets[self._position :]
        self.clear()
        return octets

    def take_line(self) -> bytes | None:
        """Take the next line, without its CRLF; None if it is not complete.

        Raises:
            ProtocolViolation: The line, which is gone then, was too long; or it holds a bare CR, a bare LF or a NUL,
                which *closes*: what we take for one command another reader may take for two (RFC 5321 §2.3.8).
        """
        end = self._octets.find(b"\n", self._position) + 1
        if not end:
            self._keep_only_the_rest()
            return None
        line = self._octets[self._position : end]
        self._position = end
        if not line.endswith(b"\r\n") or b"\r" in line[:-2] or b"\0" in line:
            raise ProtocolViolation(STRAY_OCTET_IN_COMMAND, closes=True)
        if self._is_dropping or len(line) > MAX_LINE_OCTETS:
            self._is_dropping = False
            raise ProtocolViolation(LINE_TOO_LONG)
        return line[:-2]

    def _keep_only_the_rest(self) -> None:
        """Free what has been read; of a line that is too long already keep a last CR only, its LF may follow."""
        rest = self._octets[self._position :]
        if len(rest) > MAX_LINE_OCTETS:
            if b"\r" in rest[:-1] or b"\0" in rest:
                raise ProtocolViolation(STRAY_OCTET_IN_COMMAND, closes=True)
            rest = b"\r" if rest.endswith(b"\r") else b""
            self._is_dropping = True
        self._octets = rest
        self._position = 0
