"""What the peer did wrong, with the reply it deserves."""

from gatepost.primitives.errors import RelayError
from gatepost.standards.smtp.replies import Reply


class ProtocolViolation(RelayError):
    """The peer broke the protocol.

    Attributes:
        reply: What to answer.
        closes: Whether the stream can no longer be trusted: answer, then close without reading another octet.
    """

    def __init__(self, reply: Reply, *, closes: bool = False) -> None:
        super().__init__(str(reply))
        self.reply = reply
        self.closes = closes
