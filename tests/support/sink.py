"""A receiving server in a thread: takes everything, keeps every message, and does nothing else."""

import socket
import threading
import time
from collections.abc import Callable, Iterator


class Sink:
    """Plain SMTP on loopback; ``messages`` are the contents as they came, dots still stuffed."""

    def __init__(self, port: int = 0) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self.messages: list[bytes] = []
        self._connections: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def wait_for(self, octets: bytes, *, seconds: float = 20) -> bytes:
        """Return the first message that holds these octets once it has come."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for message in list(self.messages):
                if octets in message:
                    return message
            time.sleep(0.02)
        raise AssertionError(f"nothing with {octets!r} came within {seconds} s; {len(self.messages)} others did")

    def stop(self) -> None:
        """Take no more, and hang up."""
        self._listener.close()
        for connection in list(self._connections):
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as lines:
                connection.sendall(b"220 sink.test ESMTP\r\n")
                for line in lines:
                    self._answer(connection, lines.readline, line[:4].upper())
        except (OSError, ValueError):
            pass  # the peer, or the test, has hung up
        finally:
            self._connections.discard(connection)

    def _answer(self, connection: socket.socket, read_line: Callable[[], bytes], verb: bytes) -> None:
        if verb == b"EHLO":
            connection.sendall(b"250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n")
        elif verb == b"DATA":
            connection.sendall(b"354 go on\r\n")
            self.messages.append(b"".join(_read_content(read_line)))
            connection.sendall(b"250 taken\r\n")
        elif verb == b"QUIT":
            connection.sendall(b"221 bye\r\n")
        else:
            connection.sendall(b"250 ok\r\n")


def _read_content(read_line: Callable[[], bytes]) -> Iterator[bytes]:
    while (line := read_line()) != b".\r\n":
        if not line:
            raise ConnectionResetError("the peer has hung up before the final dot")
        yield line
