import pytest

from gatepost.standards.smtp.peer_extensions import PeerExtensions, parse_extensions
from gatepost.standards.smtp.replies import Reply


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param("mx.test", PeerExtensions(), id="none"),
        pytest.param("PIPELINING", PeerExtensions(), id="the first line is a greeting"),
        pytest.param(
            "mx\nPIPELINING\nsize 1000\n8bitmime\nSMTPUTF8\nSTARTTLS\nENHANCEDSTATUSCODES\nXFOO bar",
            PeerExtensions(
                pipelining=True,
                size=True,
                max_size_octets=1000,
                eight_bit_mime=True,
                smtputf8=True,
                starttls=True,
                enhanced_status_codes=True,
            ),
            id="all, in any case",
        ),
        pytest.param("mx\nSIZE", PeerExtensions(size=True), id="size without a number"),
        pytest.param("mx\nSIZE 0", PeerExtensions(size=True), id="no fixed limit"),
        pytest.param("mx\nSIZE ²", PeerExtensions(size=True), id="a digit that is none"),
        pytest.param("mx\nSIZE " + "9" * 5000, PeerExtensions(size=True), id="absurd size"),
        pytest.param("mx\nSTARTTLSX", PeerExtensions(), id="misspelt"),
    ],
)
def test_extensions_are_read(lines: str, expected: PeerExtensions) -> None:
    assert parse_extensions(Reply(250, "", lines)) == expected
