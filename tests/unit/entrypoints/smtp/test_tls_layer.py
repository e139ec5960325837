"""TLS over byte strings, against the standard library's client."""

import ssl
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.entrypoints.smtp.tls_layer import TLSFailure, TLSLayer


class Client:
    """The peer: OpenSSL's client over byte strings."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def shake_hands(self, server: TLSLayer) -> None:
        for _ in range(4):
            with suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
            assert server.receive(self.outgoing.read()) == b""
            self.incoming.write(server.take_output())
        assert server.is_established

    def send(self, plaintext: bytes) -> bytes:
        self.tls.write(plaintext)
        return self.outgoing.read()


@pytest.fixture
def server(tls_server_context: ssl.SSLContext) -> TLSLayer:
    return TLSLayer(tls_server_context)


@pytest.fixture
def client(tls_client_context: ssl.SSLContext) -> Client:
    return Client(tls_client_context)


def test_both_sides_read_what_the_other_wrote(server: TLSLayer, client: Client) -> None:
    client.shake_hands(server)

    received = server.receive(client.send(b"EHLO client.example\r\n"))
    server.send(b"250 relay.test\r\n")
    client.incoming.write(server.take_output())

    assert received == b"EHLO client.example\r\n"
    assert client.tls.read() == b"250 relay.test\r\n"
    assert server.description == "TLSv1.3 TLS_AES_256_GCM_SHA384"


def test_records_that_come_together_are_read_together(server: TLSLayer, client: Client) -> None:
    client.shake_hands(server)
    large = bytes(range(256)) * 400

    assert server.receive(client.send(b"a") + client.send(large) + client.send(b"b")) == b"a" + large + b"b"


@given(cuts=st.lists(st.integers(0, 40_000), max_size=8))
def test_splits_of_the_wire_do_not_matter(
    tls_server_context: ssl.SSLContext, tls_client_context: ssl.SSLContext, cuts: list[int]
) -> None:
    server, client = TLSLayer(tls_server_context), Client(tls_client_context)
    client.shake_hands(server)
    plaintext = b"x" * 30_000
    wire = client.send(plaintext)
    edges = sorted({0, len(wire), *[min(cut, len(wire)) for cut in cuts]})

    assert b"".join([server.receive(wire[start:end]) for start, end in pairwise(edges)]) == plaintext


def test_plain_text_in_place_of_a_handshake_is_a_failure_with_an_alert(server: TLSLayer) -> None:
    with pytest.raises(TLSFailure):
        server.receive(b"EHLO client.example\r\n")

    assert not server.is_established
    assert server.description == ""


def test_a_forged_record_is_a_failure_and_nothing_of_it_is_read(server: TLSLayer, client: Client) -> None:
    client.shake_hands(server)
    wire = bytearray(client.send(b"MAIL FROM:<a@example.com>\r\n"))
    wire[-1] ^= 1

    with pytest.raises(TLSFailure):
        server.receive(bytes(wire))


def test_nothing_is_read_after_the_peer_has_closed(server: TLSLayer, client: Client) -> None:
    client.shake_hands(server)
    with pytest.raises(ssl.SSLError):
        client.tls.unwrap()
    close_notify = client.outgoing.read()

    assert server.receive(close_notify + b"MAIL FROM:<a@example.com>\r\n") == b""
    assert server.is_closed
    assert server.receive(b"RCPT TO:<b@example.com>\r\n") == b""


def test_closing_says_so_to_the_peer(server: TLSLayer, client: Client) -> None:
    client.shake_hands(server)

    server.close()
    client.incoming.write(server.take_output())

    assert client.tls.read() == b""


def test_closing_before_the_handshake_says_nothing(server: TLSLayer) -> None:
    server.close()

    assert server.take_output() == b""
