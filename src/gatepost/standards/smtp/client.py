"""ClientSession: a peer's replies in, octets out, and a result for each recipient. Sans-I/O.

The owner moves octets: ``receive`` what the peer sent, write what ``take_output`` returns, act on the events. It opens
with the greeting, says EHLO (HELO where that is refused, RFC 5321 §3.2), and is then ready for one transaction after
another; MAIL, all RCPTs and DATA leave in one write where the peer offers PIPELINING (RFC 2920).

Threats considered: replies injected before a TLS handshake (they end the session), replies nobody asked for (they
could be taken for the answer to the next command: they end the session), endless replies (``reply_reader`` bounds
them), and a peer that opens the content though it refused MAIL (it gets none).
"""

from collections import deque

from gatepost.standards.smtp.client_events import (
    ClientEvent,
    ContentWanted,
    SessionFailed,
    SessionReady,
    TLSAgreed,
    TransactionEnded,
)
from gatepost.standards.smtp.dot_stuffing import END_OF_DATA
from gatepost.standards.smtp.peer_extensions import PeerExtensions, parse_extensions
from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.reply_reader import ReplyReader, ReplyViolation
from gatepost.standards.smtp.transaction import (
    FailureKind,
    OpenTransaction,
    SessionFailure,
    Stage,
    Transaction,
    serialize_mail,
    serialize_rcpt,
)


class ClientSession:
    """One session with one peer.

    Attributes:
        stage: What it waits for: the reply to that, or at CONTENT the owner.
        extensions: What the peer offered at its last EHLO.
        tls_refusal: The reply to a STARTTLS that was refused.
        replies_taken: How many replies have come in whole: a peer that dribbles octets makes no progress.
    """

    def __init__(self, *, greeting_name: str) -> None:
        """Wait for the greeting; ``greeting_name`` is what EHLO will say we are (RFC 5321 §4.1.1.1)."""
        self.stage = Stage.GREETING
        self.extensions = PeerExtensions()
        self.tls_refusal: Reply | None = None
        self.replies_taken = 0
        self._greeting_name = greeting_name.encode("ascii")
        self._reader = ReplyReader()
        self._said_helo = False
        self._failed = False
        self._must_reset = False
        self._output: list[bytes] = []
        self._events: list[ClientEvent] = []
        self._waiting: deque[tuple[Stage, bytes]] = deque()
        self._expected: deque[Stage] = deque([Stage.GREETING])
        self._open: OpenTransaction | None = None
        self._handlers = {
            Stage.GREETING: self._on_greeting,
            Stage.HELLO: self._on_hello,
            Stage.STARTTLS: self._on_starttls,
            Stage.RESET: self._on_reset,
            Stage.MAIL: self._on_mail,
            Stage.RECIPIENT: self._on_recipient,
            Stage.DATA: self._on_data,
            Stage.FINAL_DOT: self._on_final_dot,
            Stage.QUIT: self._on_quit,
        }

    @property
    def is_ready(self) -> bool:
        """Whether a transaction may begin."""
        return self.stage is Stage.IDLE and not self._failed

    @property
    def is_over(self) -> bool:
        """Whether the session has ended, by QUIT or by a failure."""
        return self._failed

    def take_output(self) -> bytes:
        """Return what is to be written now, and forget it."""
        output = b"".join(self._output)
        self._output.clear()
        return output

    def receive(self, octets: bytes) -> list[ClientEvent]:
        """Take what the peer sent; the same events come whatever way it is cut into pieces."""
        if self._failed:
            return []
        try:
            for reply in self._reader.feed(octets):
                self._take_reply(reply)
                if self.is_over:
                    break
            else:
                if self.stage is Stage.HANDSHAKE and self._reader.holds_octets:
                    self._fail(FailureKind.VIOLATION, detail="octets before the TLS handshake")
        except ReplyViolation as violation:
            self._fail(FailureKind.VIOLATION, detail=str(violation))
        return self._take_events()

    def start_tls(self) -> None:
        """Send STARTTLS (RFC 3207); only when ready."""
        self._require_ready()
        self._command(Stage.STARTTLS, b"STARTTLS\r\n")

    def tls_established(self) -> None:
        """Begin anew after the handshake: what was said in the clear is forgotten (RFC 3207 §4.2)."""
        if self._failed:
            return
        if self.stage is not Stage.HANDSHAKE:
            raise RuntimeError("no handshake was agreed")
        self.extensions = PeerExtensions()
        self._reader = ReplyReader()
        self._said_helo = False
        self._say_hello()

    def begin(self, transaction: Transaction) -> None:
        """Send the envelope; only when ready."""
        self._require_ready()
        commands = [(Stage.RESET, b"RSET\r\n")] if self._must_reset else []
        commands.append((Stage.MAIL, serialize_mail(transaction, self.extensions)))
        commands += [(Stage.RECIPIENT, serialize_rcpt(path)) for path in transaction.forward_paths]
        commands.append((Stage.DATA, b"DATA\r\n"))
        self._open = OpenTransaction(len(transaction.forward_paths))
        self._must_reset = False
        if self.extensions.pipelining:
            self._output.append(b"".join([octets for _, octets in commands]))
            self._expected.extend([stage for stage, _ in commands])
            self.stage = self._expected[0]
        else:
            self._waiting.extend(commands)
            self._next_command()

    def write_content(self, octets: bytes) -> bytes:
        """Return the next piece of the content as it goes over the wire; write it at once."""
        return self._content_under_way().stuffer.stuff(octets)

    def end_content(self) -> bytes:
        """Return the end of data; write it at once. From here on the peer may have the message (promise 7)."""
        transaction = self._content_under_way()
        transaction.dot_sent = True
        self._expect(Stage.FINAL_DOT)
        return transaction.stuffer.end()

    def quit(self) -> None:
        """Send QUIT; only when ready."""
        self._require_ready()
        self._command(Stage.QUIT, b"QUIT\r\n")

    def fail(self, kind: FailureKind, *, stage: Stage | None = None, detail: str = "") -> list[ClientEvent]:
        """End the session for a reason the owner saw: closed, timed out, handshake failed. Harmless when over."""
        if not self._failed:
            self._fail(kind, stage=stage, detail=detail)
        return self._take_events()

    def _take_reply(self, reply: Reply) -> None:
        self.replies_taken += 1
        if not self._expected:
            self._take_unasked(reply)
            return
        stage = self._expected.popleft()
        self.stage = self._expected[0] if self._expected else Stage.IDLE
        self._handlers[stage](reply)
        if reply.code == 421 and not self._failed:
            self._fail(FailureKind.SHUTTING_DOWN, stage=stage, reply=reply)

    def _take_unasked(self, reply: Reply) -> None:
        """A refusal in the middle of the content is the peer's last word on it; anything else puts us out of step."""
        if self._open is not None and not reply.is_positive:
            self._open.content = reply
            self._fail(FailureKind.REFUSED, reply=reply)
        elif reply.code == 421:
            self._fail(FailureKind.SHUTTING_DOWN, reply=reply)
        else:
            self._fail(FailureKind.VIOLATION, reply=reply, detail="a reply nobody asked for")

    def _on_greeting(self, reply: Reply) -> None:
        if reply.code == 220:
            self._say_hello()
        else:
            self._refused(Stage.GREETING, reply)

    def _say_hello(self) -> None:
        verb = b"HELO " if self._said_helo else b"EHLO "
        self._command(Stage.HELLO, verb + self._greeting_name + b"\r\n")

    def _on_hello(self, reply: Reply) -> None:
        if reply.code == 250:
            self.extensions = PeerExtensions() if self._said_helo else parse_extensions(reply)
            self._events.append(SessionReady())
        elif reply.is_permanent and not self._said_helo:
            self._said_helo = True
            self._say_hello()
        else:
            self._refused(Stage.HELLO, reply)

    def _on_starttls(self, reply: Reply) -> None:
        if reply.code == 220:
            self.stage = Stage.HANDSHAKE
            if self._reader.holds_octets:
                self._fail(FailureKind.VIOLATION, detail="octets before the TLS handshake")
            else:
                self._events.append(TLSAgreed())
        elif reply.is_positive:
            self._refused(Stage.STARTTLS, reply)
        else:
            self.tls_refusal = reply
            self._events.append(SessionReady())

    def _on_reset(self, reply: Reply) -> None:
        if reply.code == 250:
            self._next_command()
        else:
            self._refused(Stage.RESET, reply)

    def _on_mail(self, reply: Reply) -> None:
        transaction = self._transaction(reply, Stage.MAIL)
        if transaction is None:
            return
        transaction.mail = reply
        if not reply.is_positive and self._waiting:
            self._waiting.clear()
            self._end_transaction(reply)
        else:
            self._next_command()

    def _on_recipient(self, reply: Reply) -> None:
        transaction = self._transaction(reply, Stage.RECIPIENT)
        if transaction is None:
            return
        transaction.take_recipient(reply)
        if transaction.is_hopeless and self._waiting:
            self._waiting.clear()
            self._must_reset = True
            self._end_transaction(reply)
        else:
            self._next_command()

    def _on_data(self, reply: Reply) -> None:
        transaction = self._open
        assert transaction is not None
        transaction.data = reply
        if not reply.is_positive:
            # MAIL and any RCPT taken still stand at the peer (RFC 5321 §4.1.1.4).
            self._must_reset = True
            self._end_transaction(reply)
        elif reply.code != 354:
            self._refused(Stage.DATA, reply)
        elif not transaction.has_recipient:
            # The peer answers 354 though nobody is to receive: the lone dot ends it (RFC 2920 §3.1).
            self._output.append(END_OF_DATA)
            self._expect(Stage.FINAL_DOT)
        elif transaction.mail is None or not transaction.mail.is_positive:
            self._fail(FailureKind.VIOLATION, stage=Stage.DATA, detail="MAIL refused, yet content asked for")
        else:
            self.stage = Stage.CONTENT
            self._events.append(ContentWanted())

    def _on_final_dot(self, reply: Reply) -> None:
        transaction = self._transaction(reply, Stage.FINAL_DOT)
        if transaction is not None:
            transaction.content = reply
            self._end_transaction(reply)

    def _on_quit(self, reply: Reply) -> None:
        self._failed = True
        self._events.append(SessionFailed(SessionFailure(kind=FailureKind.CLOSED, stage=Stage.QUIT, reply=reply)))

    def _transaction(self, reply: Reply, stage: Stage) -> OpenTransaction | None:
        """Return the transaction a 2xx, 4xx or 5xx speaks of; a 3xx here puts us out of step and ends the session."""
        if 300 <= reply.code < 400:
            self._refused(stage, reply)
            return None
        assert self._open is not None
        return self._open

    def _refused(self, stage: Stage, reply: Reply) -> None:
        if reply.code == 421:
            self._fail(FailureKind.SHUTTING_DOWN, stage=stage, reply=reply)
        elif reply.is_positive:
            self._fail(FailureKind.VIOLATION, stage=stage, reply=reply, detail="a reply of the wrong kind")
        else:
            self._fail(FailureKind.REFUSED, stage=stage, reply=reply)

    def _end_transaction(self, reply: Reply) -> None:
        # 421 ends the session as well; the result then says so (``_take_reply``).
        if self._open is not None and reply.code != 421:
            self._events.append(TransactionEnded(self._open.result(None)))
            self._open = None

    def _fail(
        self, kind: FailureKind, *, stage: Stage | None = None, reply: Reply | None = None, detail: str = ""
    ) -> None:
        failure = SessionFailure(kind=kind, stage=stage or self.stage, reply=reply, detail=detail)
        self._failed = True
        self._output.clear()
        if self._open is not None:
            self._events.append(TransactionEnded(self._open.result(failure)))
            self._open = None
        self._events.append(SessionFailed(failure))

    def _command(self, stage: Stage, octets: bytes) -> None:
        self._output.append(octets)
        self._expect(stage)

    def _expect(self, stage: Stage) -> None:
        self._expected.append(stage)
        self.stage = self._expected[0]

    def _next_command(self) -> None:
        """Without PIPELINING, each reply lets the next command go."""
        if self._waiting:
            self._command(*self._waiting.popleft())

    def _content_under_way(self) -> OpenTransaction:
        if self._open is None or self.stage is not Stage.CONTENT:
            raise RuntimeError("the peer has not asked for content")
        return self._open

    def _require_ready(self) -> None:
        if not self.is_ready:
            raise RuntimeError("the session is not ready")

    def _take_events(self) -> list[ClientEvent]:
        events = self._events
        self._events = []
        return events
