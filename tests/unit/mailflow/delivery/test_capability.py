import pytest

from gatepost.mailflow.delivery.capability import Needs, find_needs, find_unservable
from gatepost.standards.address import Mailbox
from gatepost.standards.smtp.peer_extensions import PeerExtensions

PLAIN = Mailbox(local_part="a", domain="xn--bcher-kva.test")
UTF8 = Mailbox(local_part="jürgen", domain="x.test")


@pytest.mark.parametrize(
    ("header", "body", "paths", "expected"),
    [
        pytest.param(False, False, [PLAIN], Needs(smtputf8=False, eight_bit_mime=False), id="nothing"),
        pytest.param(False, True, [PLAIN], Needs(smtputf8=False, eight_bit_mime=True), id="8-bit body"),
        pytest.param(True, False, [PLAIN], Needs(smtputf8=True, eight_bit_mime=True), id="UTF-8 header"),
        pytest.param(False, False, [PLAIN, UTF8], Needs(smtputf8=True, eight_bit_mime=False), id="UTF-8 local-part"),
    ],
)
def test_needs_come_from_what_is_really_there(header: bool, body: bool, paths: list[Mailbox], expected: Needs) -> None:
    assert find_needs(has_utf8_header=header, has_8bit_body=body, paths=paths) == expected


@pytest.mark.parametrize(
    ("reverse_path", "header", "offered", "expected"),
    [
        pytest.param(PLAIN, False, True, [False, False], id="offered"),
        pytest.param(UTF8, True, True, [False, False], id="offered and needed"),
        pytest.param(PLAIN, False, False, [False, True], id="one recipient needs it"),
        pytest.param(None, False, False, [False, True], id="null reverse-path"),
        pytest.param(UTF8, False, False, [True, True], id="the reverse-path needs it"),
        pytest.param(PLAIN, True, False, [True, True], id="the header needs it"),
    ],
)
def test_only_what_needs_smtputf8_is_refused_for_lack_of_it(
    reverse_path: Mailbox | None, header: bool, offered: bool, expected: list[bool]
) -> None:
    peer = PeerExtensions(smtputf8=offered)

    assert find_unservable([PLAIN, UTF8], reverse_path=reverse_path, has_utf8_header=header, peer=peer) == expected
