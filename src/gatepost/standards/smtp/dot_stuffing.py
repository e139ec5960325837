"""Transparency of the content on its way out (RFC 5321 §4.5.2)."""

END_OF_DATA = b".\r\n"
"""The final dot; the content before it has ended its last line."""


class DotStuffer:
    """Doubles the dot at the start of each line, whatever way the content is cut into pieces.

    The content has CRLF line ends only; that was made sure when it was accepted.
    """

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b"\r\n"

    def stuff(self, octets: bytes) -> bytes:
        """Return the next piece as it goes over the wire."""
        if not octets:
            return octets
        tail = self._tail
        self._tail = octets[-2:] if len(octets) > 1 else (tail + octets)[-2:]
        stuffed = octets.replace(b"\r\n.", b"\r\n..")
        if tail == b"\r\n" and octets.startswith(b"."):
            return b"." + stuffed
        if tail.endswith(b"\r") and octets.startswith(b"\n."):
            return b"\n." + stuffed[1:]
        return stuffed

    def end(self) -> bytes:
        """Return what ends the data: the CRLF that the last line may lack, and the final dot."""
        return END_OF_DATA if self._tail == b"\r\n" else b"\r\n" + END_OF_DATA
