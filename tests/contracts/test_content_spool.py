"""The contract of the ContentSpool port on a directory."""

import pytest

from gatepost.mailflow.content import MAX_HEAD_OCTETS
from gatepost.storage.spool import SpoolDirectory
from gatepost.system.entropy import SystemEntropy


@pytest.fixture
def spool(tmp_path):
    return SpoolDirectory(tmp_path / "spool", SystemEntropy())


def names(tmp_path):
    return [path.name for path in (tmp_path / "spool").iterdir()]


PARTS = {
    "nothing": [],
    "one part": [b"Subject: x\r\n\r\nbody"],
    "many parts": [bytes([number]) * 100_000 for number in range(30)],
    "an empty part": [b"a", b"", b"b"],
}


@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS)
def test_a_content_is_what_was_written(spool, parts):
    writer = spool.open()
    for part in parts:
        writer.write(part)

    content = writer.finish()

    whole = b"".join(parts)
    assert content.size_octets == len(whole)
    assert content.head() == whole[:MAX_HEAD_OCTETS]
    assert b"".join(content.chunks()) == whole == b"".join(content.chunks())
    assert max((len(chunk) for chunk in content.chunks()), default=0) <= 1 << 20
    assert content.is_whole()
    writer.discard()


def test_a_discarded_content_leaves_nothing(spool, tmp_path):
    writer = spool.open()
    writer.write(b"octets")

    writer.discard()
    writer.discard()

    assert names(tmp_path) == []


def test_a_finished_content_can_still_be_discarded(spool, tmp_path):
    writer = spool.open()
    writer.finish()

    writer.discard()

    assert names(tmp_path) == []


def test_a_content_that_the_queue_has_claimed_cannot_be_discarded(spool, tmp_path):
    writer = spool.open()
    content = writer.finish()
    content.claim()

    writer.discard()

    assert names(tmp_path) == [content.name]
    content.flush()
    writer.discard()
    assert names(tmp_path) == [content.name]


@pytest.mark.parametrize("is_flushed", [True, False], ids=["after the flush", "before the flush"])
def test_an_abandoned_content_leaves_nothing(spool, tmp_path, is_flushed):
    content = spool.open().finish()
    content.claim()
    if is_flushed:
        content.flush()

    content.abandon()

    assert names(tmp_path) == []


def test_a_content_is_found_again_by_name(spool):
    writer = spool.open()
    writer.write(b"octets")
    content = writer.finish()
    content.flush()
    spool.flush()

    again = spool.find(content.name, size_octets=6, checksum=content.checksum)

    assert b"".join(again.chunks()) == b"octets"
    assert again.is_whole()
    with pytest.raises(ValueError, match="6 octets instead of 7"):
        spool.find(content.name, size_octets=7, checksum=content.checksum)
    assert not spool.find(content.name, size_octets=6, checksum=content.checksum + 1).is_whole()


def test_a_content_that_is_gone_is_not_whole(spool):
    content = spool.open().finish()
    content.flush()
    spool.remove(content.name)
    spool.remove(content.name)

    assert not content.is_whole()
    with pytest.raises(OSError, match=content.name):
        spool.find(content.name, size_octets=0, checksum=0)


def test_what_no_record_names_is_removed(spool, tmp_path):
    kept, stale = spool.open().finish(), spool.open().finish()
    kept.flush()
    stale.flush()

    assert spool.remove_all_but({kept.name}) == 1

    assert names(tmp_path) == [kept.name]
