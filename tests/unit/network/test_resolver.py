from pathlib import Path

import pytest

from gatepost.network.resolver import Nameserver, parse_nameserver, system_nameservers
from gatepost.primitives.errors import Misconfigured


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("192.0.2.1", Nameserver("192.0.2.1", 53), id="IPv4"),
        pytest.param("127.0.0.1:5353", Nameserver("127.0.0.1", 5353), id="IPv4 and port"),
        pytest.param("2001:db8::1", Nameserver("2001:db8::1", 53), id="IPv6"),
        pytest.param("[2001:db8::1]:5353", Nameserver("2001:db8::1", 5353), id="IPv6 and port"),
        pytest.param("[::1]", Nameserver("::1", 53), id="IPv6 in brackets"),
    ],
)
def test_a_nameserver_is_read(text: str, expected: Nameserver) -> None:
    assert parse_nameserver(text) == expected


@pytest.mark.parametrize("text", ["", "dns.test", "192.0.2.1:0", "192.0.2.1:x", "192.0.2.1:", "[::1]:99999", "[::1"])
def test_what_is_no_nameserver_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        parse_nameserver(text)


def test_the_nameservers_of_the_system_are_read(tmp_path: Path) -> None:
    configuration = tmp_path / "resolv.conf"
    configuration.write_text("search x.test\nnameserver 192.0.2.53\nnameserver ::1\n")

    assert system_nameservers(str(configuration)) == (Nameserver("192.0.2.53"), Nameserver("::1"))


@pytest.mark.parametrize("text", ["", "search x.test\n", None], ids=["empty", "no nameserver", "no file"])
def test_a_system_without_nameservers_says_what_to_set(tmp_path: Path, text: str | None) -> None:
    configuration = tmp_path / "resolv.conf"
    if text is not None:
        configuration.write_text(text)

    with pytest.raises(Misconfigured, match=r"delivery\.nameservers"):
        system_nameservers(str(configuration))
