"""TLS over byte strings: the server's side of one connection, without a socket of its own.

The connection feeds it what arrives and sends what it yields. In place of ``loop.start_tls`` this has no moment in
which octets can slip past the handshake, works alike on every event loop, begins in mid-buffer (behind a PROXY
preamble), asks for the context at each handshake so that a new certificate serves the next one, and costs no task.
"""

import ssl
from typing import Final

_RECORD_OCTETS: Final = 16_384
"""The most plaintext one record carries (RFC 8446 §5.1)."""


class TLSFailure(Exception):
    """The peer's octets are no TLS we take; the text names the reason in OpenSSL's words, never content."""


class TLSLayer:
    """One server-side TLS connection.

    Attributes:
        is_established: The handshake is complete.
        description: Protocol and cipher, ``TLSv1.3 TLS_AES_256_GCM_SHA384``; "" before the handshake.
        is_closed: The peer has said that it sends no more (close_notify); whatever follows is not read.
    """

    __slots__ = ("_incoming", "_object", "_outgoing", "description", "is_closed", "is_established")

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.description = ""
        self.is_established = False
        self.is_closed = False

    def receive(self, octets: bytes) -> bytes:
        """Take octets from the wire; return the plaintext that came with them. ``take_output`` afterwards.

        Raises:
            TLSFailure: The handshake failed or a record is broken. The output may hold an alert to send.
        """
        if self.is_closed:
            return b""
        self._incoming.write(octets)
        try:
            if not self.is_established:
                self._object.do_handshake()
                self.is_established = True
                self.description = self._describe()
            return self._read()
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLError as error:
            raise TLSFailure(error.reason or "TLS failure") from error

    def send(self, plaintext: bytes) -> None:
        """Encrypt; ``take_output`` yields the records."""
        self._object.write(plaintext)

    def close(self) -> None:
        """Say that we send no more (close_notify, RFC 8446 §6.1); does not wait for the peer's."""
        if not self.is_established:
            return
        try:
            self._object.unwrap()
        except ssl.SSLError:
            # The usual outcome: ours is in the output and the peer's has not come.
            return

    def release(self) -> None:
        """Give back what a connection takes most of, some 20 KiB; afterwards it only says what it was."""
        del self._object, self._incoming, self._outgoing

    def take_output(self) -> bytes:
        """Return what is to be sent."""
        return self._outgoing.read()

    def _describe(self) -> str:
        cipher = self._object.cipher()
        return f"{self._object.version()} {cipher[0]}" if cipher else ""

    def _read(self) -> bytes:
        pieces: list[bytes] = []
        try:
            # Ask only while something is there: a read of nothing costs an exception.
            while self._incoming.pending or self._object.pending():
                piece = self._object.read(_RECORD_OCTETS)
                if not piece:
                    self.is_closed = True
                    break
                pieces.append(piece)
        except ssl.SSLWantReadError:
            pass
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
