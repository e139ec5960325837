import os
import socket
from pathlib import Path

import pytest

from gatepost.primitives.errors import Misconfigured
from gatepost.runtime.listening_sockets import adopt_socket, open_sockets
from gatepost.runtime.settings import Listener, ListenerTLS

LOOPBACK = Listener(address="127.0.0.1", port=0)


@pytest.fixture
def opened():
    sets = open_sockets([LOOPBACK], 2)
    yield sets
    for sockets in sets:
        sockets.close()


def port_of(sockets):
    return sockets.named[0][1].getsockname()[1]


def count_accepted(sock):
    sock.setblocking(False)
    count = 0
    while True:
        try:
            sock.accept()[0].close()
        except OSError:
            return count
        count += 1


def test_each_process_has_a_socket_of_its_own_on_the_same_port(opened):
    assert port_of(opened[0]) == port_of(opened[1])
    assert set(opened[0].descriptors).isdisjoint(opened[1].descriptors)


def test_sockets_carry_the_name_of_their_listener(opened):
    assert [name for name, _ in opened[0].named] == [LOOPBACK.name]


def test_connections_go_elsewhere_while_one_does_not_listen_and_come_back_when_it_does(opened):
    first, second = (sockets.named[0][1] for sockets in opened)
    first.listen(64)
    second.listen(64)

    opened[1].stop_listening()
    clients = [socket.create_connection(("127.0.0.1", port_of(opened[0])), timeout=5) for _ in range(16)]
    assert (count_accepted(first), count_accepted(second)) == (16, 0)

    second.listen(64)
    clients += [socket.create_connection(("127.0.0.1", port_of(opened[0])), timeout=5) for _ in range(32)]
    assert count_accepted(second) > 0
    for client in clients:
        client.close()


def test_stop_listening_may_be_called_before_and_twice(opened):
    opened[0].stop_listening()
    opened[0].stop_listening()


def test_star_means_ipv4_and_ipv6():
    (sockets,) = open_sockets([Listener(port=0, tls=ListenerTLS.IMPLICIT)], 1)

    families = {sock.family for _, sock in sockets.named}
    sockets.close()
    assert socket.AF_INET in families
    assert families <= {socket.AF_INET, socket.AF_INET6}


def test_port_in_use_is_told_and_leaves_nothing_open():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        before = len(list(Path("/proc/self/fd").iterdir()))

        with pytest.raises(Misconfigured, match=rf"127\.0\.0\.1 port {port} is in use by another program"):
            open_sockets([LOOPBACK, Listener(address="127.0.0.1", port=port)], 2)

        assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_address_of_another_machine_is_told():
    with pytest.raises(Misconfigured, match="does not have that address"):
        open_sockets([Listener(address="192.0.2.1", port=0)], 1)


def test_a_child_adopts_a_socket_by_its_descriptor(opened):
    adopted = adopt_socket(os.dup(opened[0].descriptors[0]))

    assert adopted.getsockname() == ("127.0.0.1", port_of(opened[0]))
    adopted.close()
