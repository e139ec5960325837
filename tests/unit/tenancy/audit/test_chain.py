import hmac
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256

import pytest

from gatepost.primitives.ids import AccountId
from gatepost.tenancy.audit.chain import (
    GENESIS,
    Head,
    KeptHead,
    StoredRecord,
    check_chain,
    extend,
    is_genuine,
    parse_kept_head,
)
from gatepost.tenancy.audit.entry import Act, AuditEvent, parse_entry

ACME = AccountId("acc_acme")


def mac(message: bytes) -> bytes:
    return hmac.digest(b"the key", message, "sha256")


def forged(message: bytes) -> bytes:
    return hmac.digest(b"another key", message, "sha256")


@pytest.fixture
def chain(event: Callable[..., AuditEvent]) -> Callable[..., tuple[list[StoredRecord], Head]]:
    def make(length: int = 4, account_id: str = ACME, note: str = "") -> tuple[list[StoredRecord], Head]:
        records, head = [], None
        for number in range(length):
            act = Act.KEY_NARROWED if number else Act.ACCOUNT_CREATED
            stored, head = extend(head, number, event(account_id, subject=f"key/{number}{note}", act=act), mac)
            records.append(stored)
        assert head is not None
        return records, head

    return make


def faults(
    records: list[StoredRecord], head: Head | None, kept: Mapping[int, bytes] | None = None
) -> list[tuple[int | None, str]]:
    return [(each.sequence, each.text) for each in check_chain(ACME, records, head, kept or {}, mac)]


def test_links_and_codes_are_made_as_documented(chain: Callable[..., tuple[list[StoredRecord], Head]]) -> None:
    [first, second], head = chain(2)

    assert first.link == mac(b"gatepost audit entry 1\n" + first.record)
    assert parse_entry(first.record).previous == GENESIS
    assert parse_entry(second.record).previous == first.link
    assert head.code == mac(b"gatepost audit head 1\nacc_acme\n2\n" + second.link.hex().encode())
    assert is_genuine(head, mac)


def test_a_whole_chain_has_no_fault(chain: Callable[..., tuple[list[StoredRecord], Head]]) -> None:
    records, head = chain()

    assert faults(records, head, {each.sequence: each.link for each in records}) == []


def test_an_altered_entry_is_named(chain: Callable[..., tuple[list[StoredRecord], Head]]) -> None:
    records, head = chain()
    records[1] = replace(records[1], record=records[1].record.replace(b"root", b"toor"))

    [(number, text)] = faults(records, head)

    assert (number, "altered" in text) == (2, True)


def test_an_entry_linked_with_another_key_is_named(chain: Callable[..., tuple[list[StoredRecord], Head]]) -> None:
    records, head = chain()
    record = records[1].record.replace(b"root", b"toor")
    records[1] = replace(records[1], record=record, link=forged(b"gatepost audit entry 1\n" + record))

    assert faults(records, head)[0] == (2, "was altered: its link does not fit its record")


def test_a_plain_hash_forges_nothing(chain: Callable[..., tuple[list[StoredRecord], Head]]) -> None:
    records, head = chain()
    records[0] = replace(records[0], link=sha256(records[0].record).digest())

    assert [number for number, _ in faults(records, head)] == [1, 2]


@pytest.mark.parametrize("index", [0, 1, 3])
def test_a_missing_entry_is_named(chain: Callable[..., tuple[list[StoredRecord], Head]], index: int) -> None:
    records, head = chain()
    del records[index]

    [(number, text)] = faults(records, head)

    assert (number, "missing" in text) == (index + 1, True)


def test_every_missing_entry_of_a_gap_is_named(chain: Callable[..., tuple[list[StoredRecord], Head]]) -> None:
    records, head = chain()

    assert faults([records[0], records[3]], head) == [(2, "is missing, and so is each up to 3")]


def test_entries_renumbered_over_a_gap_are_named(chain: Callable[..., tuple[list[StoredRecord], Head]]) -> None:
    records, head = chain()
    moved = [records[0], *(replace(each, sequence=each.sequence - 1) for each in records[2:])]

    found = faults(moved, head)

    assert found[0] == (2, "was moved: it is entry 3 of acc_acme")
    assert found[-1] == (4, "is missing: the end of the log was cut off")


def test_entries_that_changed_places_are_named(chain: Callable[..., tuple[list[StoredRecord], Head]]) -> None:
    records, head = chain()
    records[1], records[2] = replace(records[2], sequence=2), replace(records[1], sequence=3)

    assert [number for number, _ in faults(records, head)][:2] == [2, 3]


def test_an_entry_of_another_account_is_named(chain: Callable[..., tuple[list[StoredRecord], Head]]) -> None:
    records, head = chain()
    records[2] = chain(account_id="acc_rival")[0][2]

    assert faults(records, head)[0] == (3, "was moved: it is entry 3 of acc_rival")


def test_a_genuine_entry_of_another_history_does_not_fit(
    chain: Callable[..., tuple[list[StoredRecord], Head]], event: Callable[..., AuditEvent]
) -> None:
    records, head = chain(3)
    _, before = chain(1, note="another history")
    records[1] = extend(before, 1, event(), mac)[0]

    assert faults(records, head)[0] == (2, "does not follow the entry before it: one of the two was replaced")


@pytest.mark.parametrize("length", [0, 1, 3])
def test_an_end_cut_off_is_found_by_the_head(
    chain: Callable[..., tuple[list[StoredRecord], Head]], length: int
) -> None:
    records, head = chain()

    [(number, text)] = faults(records[:length], head)

    assert (number, "cut off" in text) == (length + 1, True)


def test_a_link_of_an_entry_makes_no_head(chain: Callable[..., tuple[list[StoredRecord], Head]]) -> None:
    records, _ = chain()
    last = records[1]

    assert faults(records[:2], Head(account_id=ACME, sequence=2, link=last.link, code=last.link)) == [
        (None, "the head of the log was altered")
    ]


@pytest.mark.parametrize("part", [{"sequence": 3}, {"link": bytes(32)}, {"code": bytes(32)}], ids=str)
def test_an_altered_head_is_found(
    chain: Callable[..., tuple[list[StoredRecord], Head]], part: dict[str, object]
) -> None:
    records, head = chain()

    assert faults(records, replace(head, **part)) == [(None, "the head of the log was altered")]


def test_a_head_of_another_account_is_found(chain: Callable[..., tuple[list[StoredRecord], Head]]) -> None:
    records, _ = chain()
    _, other = chain(account_id="acc_rival")

    assert faults(records, replace(other, account_id=ACME)) == [(None, "the head of the log was altered")]


def test_a_missing_head_is_found(chain: Callable[..., tuple[list[StoredRecord], Head]]) -> None:
    records, _ = chain()

    assert faults(records, None) == [(None, "the head of the log is missing")]


def test_a_log_that_is_gone_is_found() -> None:
    [(number, text)] = faults([], None)

    assert (number, "there is no log" in text) == (None, True)


def test_an_old_head_beside_a_longer_log_is_found(chain: Callable[..., tuple[list[StoredRecord], Head]]) -> None:
    records, _ = chain(4)
    _, old = chain(3)

    assert faults(records, old) == [(4, "stands behind the head of the log")]


def test_an_end_replaced_is_found(
    chain: Callable[..., tuple[list[StoredRecord], Head]], event: Callable[..., AuditEvent]
) -> None:
    records, head = chain(3)
    _, before = chain(2)
    records[2] = extend(before, 2, event(), mac)[0]

    assert faults(records, head) == [(3, "is not the entry that the head of the log names")]


def test_a_log_set_back_with_its_head_is_found_by_a_kept_one(
    chain: Callable[..., tuple[list[StoredRecord], Head]],
) -> None:
    old, old_head = chain(2)
    _, head = chain(4)

    assert faults(old, old_head) == []
    assert faults(old, old_head, {4: head.link}) == [(4, "is missing, though its link was kept")]


def test_a_log_written_anew_is_found_by_a_kept_head(
    chain: Callable[..., tuple[list[StoredRecord], Head]], event: Callable[..., AuditEvent]
) -> None:
    _, kept = chain(1)
    stored, head = extend(None, 0, event(subject="key/another", act=Act.ACCOUNT_CREATED), mac)

    assert faults([stored], head) == []
    assert faults([stored], head, {1: kept.link}) == [(1, "is not the entry whose link was kept")]


def test_a_genuine_record_of_a_newer_version_is_no_forgery(
    chain: Callable[..., tuple[list[StoredRecord], Head]],
) -> None:
    records, head = chain(2)
    record = records[0].record.replace(b'"v":1', b'"v":2')
    records[0] = replace(records[0], record=record, link=mac(b"gatepost audit entry 1\n" + record))

    assert faults(records, head)[0] == (
        1,
        "cannot be read, though it is genuine: look with the newer version that wrote it",
    )


def bend(head: Head) -> Head:
    return replace(head, code=bytes(32))


@pytest.mark.parametrize(
    ("length", "find_head", "sequence"),
    [
        (4, bend, 5),
        (2, bend, 3),
        (0, bend, 1),
        (4, lambda head: None, 5),
        (0, lambda head: None, 1),
        (4, lambda head: replace(head, sequence=2**63 - 1), 5),
    ],
    ids=["forged head", "cut, forged head", "all gone, forged head", "no head", "all gone", "head far ahead"],
)
def test_a_broken_log_goes_on_and_the_break_stays_visible(
    chain: Callable[..., tuple[list[StoredRecord], Head]],
    event: Callable[..., AuditEvent],
    length: int,
    find_head: Callable[[Head], Head | None],
    sequence: int,
) -> None:
    records, head = chain()
    found = find_head(head)

    one, new_head = extend(found, length, event(), mac)
    two, newest_head = extend(new_head, one.sequence, event(), mac)

    text = "was written when the log before it was found broken, or not begun"
    assert faults([*records[:length], one, two], newest_head) == [(sequence, text)]


def test_an_older_genuine_head_before_a_longer_log_hides_nothing(
    chain: Callable[..., tuple[list[StoredRecord], Head]], event: Callable[..., AuditEvent]
) -> None:
    records, _ = chain(4)
    _, old = chain(2)

    stored, head = extend(old, 4, event(), mac)

    assert [number for number, _ in faults([*records, stored], head)] == [5]


def test_a_log_goes_on_behind_an_end_cut_off_and_the_gap_stays(
    chain: Callable[..., tuple[list[StoredRecord], Head]], event: Callable[..., AuditEvent]
) -> None:
    records, head = chain(4)

    stored, new_head = extend(head, 2, event(), mac)

    assert faults([*records[:2], stored], new_head) == [(3, "is missing, and so is each up to 4")]


def test_a_kept_head_is_read_as_it_is_written() -> None:
    kept = KeptHead(account_id=ACME, sequence=12, link=bytes(range(32)))

    assert parse_kept_head(f" {kept}\n") == kept


@pytest.mark.parametrize(
    "text",
    ["", "acc_acme", "acc_acme:1", "acc_acme:1:zz", "acc_acme:1:00", f"acc_acme:0:{'0' * 64}", f"a:b:1:{'0' * 64}"],
)
def test_anything_else_is_no_kept_head(text: str) -> None:
    with pytest.raises(ValueError):
        parse_kept_head(text)
