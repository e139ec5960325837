import socket

import pytest

from gatepost.cli.demo.ports import bind_loopback, choose_ports, find_replaced, probe_loopback
from gatepost.primitives.errors import Misconfigured


class Machine:
    """Has these ports free, and hands out those from 40000 up for 0."""

    def __init__(self, free, *, others=(40_000, 40_001, 40_002)):
        self._free = free
        self._others = list(others)

    def probe(self, port):
        if port == 0:
            return self._others.pop(0) if self._others else None
        return port if port in self._free else None


def test_wanted_ports_are_used_where_they_are_free():
    assert choose_ports({"a": 1, "b": 2}, Machine({1, 2}).probe) == {"a": 1, "b": 2}


def test_taken_port_is_replaced_and_that_is_said():
    wanted = {"a": 1, "b": 2}

    chosen = choose_ports(wanted, Machine({1}).probe)

    assert chosen == {"a": 1, "b": 40_000}
    assert find_replaced(wanted, chosen) == ["port 2 (b) is taken by another program; using 40000"]


def test_free_ports_are_all_different_and_nothing_is_said():
    wanted = {"a": 0, "b": 0}

    chosen = choose_ports(wanted, Machine(set(), others=(40_000, 40_000, 40_001)).probe)

    assert len(set(chosen.values())) == 2
    assert find_replaced(wanted, chosen) == []


def test_machine_without_a_free_port_is_told_what_to_do():
    with pytest.raises(Misconfigured, match="end some programs"):
        choose_ports({"a": 0}, Machine(set(), others=()).probe)


def test_port_that_somebody_listens_on_is_not_free():
    with bind_loopback(0) as sock:
        sock.listen()
        port = sock.getsockname()[1]

        assert probe_loopback(port) is None
    assert probe_loopback(port) == port


def test_port_taken_over_udp_is_not_free():
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        assert probe_loopback(sock.getsockname()[1]) is None
