import json

import pytest

from gatepost.cli.demo.inbox import mailbox as module
from gatepost.cli.demo.inbox.mailbox import Mailbox


@pytest.fixture
def verdict_of(store_message):
    message = store_message()
    return message.delivery, message.verdict


def test_message_is_stored_octet_for_octet_with_its_verdict_beside_it(tmp_path, verdict_of):
    mailbox = Mailbox(tmp_path)

    stored = mailbox.write(mailbox.take_number(), b"A: b\r\n\r\n\xff", *verdict_of)

    assert (tmp_path / "1.eml").read_bytes() == b"A: b\r\n\r\n\xff"
    assert json.loads((tmp_path / "1.json").read_text())["verdict"]["spf"] == "pass"
    assert stored.size_octets == 9
    assert (tmp_path / "1.eml").stat().st_mode & 0o077 == 0


def test_message_is_found_once_it_is_shown(tmp_path, store_message):
    mailbox = Mailbox(tmp_path)
    message = store_message(number=3)

    assert mailbox.find(3) is None
    mailbox.show(message)
    assert mailbox.find(3) is message


def test_newest_comes_first_and_only_so_many_are_known(tmp_path, store_message, monkeypatch):
    monkeypatch.setattr(module, "MAX_SHOWN", 2)
    mailbox = Mailbox(tmp_path)
    for number in (1, 2, 3):
        mailbox.show(store_message(number=number))

    assert [message.number for message in mailbox.list_newest()] == [3, 2]
