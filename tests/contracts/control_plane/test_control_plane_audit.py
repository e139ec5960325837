"""The audit log on the real engine: written with the act, and no change to it stays hidden."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pytest
from sqlalchemy import text

from gatepost.cli.account import account as account_group
from gatepost.cli.domain import domain as domain_group
from gatepost.cli.key import key as key_group
from gatepost.primitives.decision import Deny
from gatepost.primitives.errors import RelayError
from gatepost.primitives.ids import AccountId, KeyId
from gatepost.runtime.control_plane import ControlPlane
from gatepost.standards.dkim.sign import SigningAlgorithm
from gatepost.tenancy.access.grant import Grant, narrow
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import Account, AccountState
from gatepost.tenancy.accounts.ports import AccountNameTaken
from gatepost.tenancy.audit.chain import KeptHead
from gatepost.tenancy.audit.entry import SERVICE, Actor, ActorKind, AuditEntry
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DKIMKey, DomainState, DomainTaken

ALICE = Actor(kind=ActorKind.OPERATOR, id="alice", origin="ssh 192.0.2.7", credential="uid 1000")


def entries(plane: ControlPlane, account: Account) -> list[AuditEntry]:
    return list(plane.audit.list_after(account.id, 0, 1000))


def acts(plane: ControlPlane, account: Account) -> list[str]:
    return [each.event.act.value for each in entries(plane, account)]


def execute(plane: ControlPlane, statement: str, **values: object) -> int:
    """What somebody does who has the database, and not the keyring."""
    with plane.database.writing() as connection:
        return connection.execute(text(statement), values).rowcount


KEY = DKIMKey(
    selector="s1",
    algorithm=SigningAlgorithm.RSA_SHA256,
    sealed_private_key=b"sealed",
    public_key="cHVi",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def claim(account: Account, name: str = "example.com") -> AuthenticatedDomain:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return AuthenticatedDomain(
        name=name,
        account_id=account.id,
        state=DomainState.PENDING,
        dkim_keys=(),
        created_at=at,
        return_path="em1",
    )


# ---------------------------------------------------------------- what is written


def test_each_act_is_written_with_its_actor_and_both_states(
    control_plane: ControlPlane, account: Account, issue: Callable[..., Any]
) -> None:
    alice = control_plane.acting_as(ALICE)
    key = issue(scopes=frozenset({"mail.send", "stats.read"})).key

    alice.keys.change_grant(
        account.id, key.id, lambda grant: narrow(grant, replace(grant, scopes=frozenset({"mail.send"})))
    )

    entry = entries(control_plane, account)[-1]
    assert (entry.sequence, entry.event.act.value) == (3, "key_narrowed")
    assert entry.event.actor == ALICE
    assert entry.event.at == control_plane.clock.now()
    assert entry.event.subject == f"key/{key.id}"
    assert entry.event.before is not None
    assert entry.event.after == {**entry.event.before, "scopes": ["mail.send"]}
    assert entry.event.before["scopes"] == ["mail.send", "stats.read"]


def test_without_an_actor_it_is_the_service(control_plane: ControlPlane, account: Account) -> None:
    assert [each.event.actor for each in entries(control_plane, account)] == [SERVICE]


def test_the_life_of_everything_is_written_in_order(
    control_plane: ControlPlane, account: Account, issue: Callable[..., Any]
) -> None:
    now = control_plane.clock.now()
    key, now = issue().key, control_plane.clock.now()
    number = control_plane.domains.add(claim(account))
    control_plane.domains.mark_verified(account.id, number, now)
    control_plane.domains.change(account.id, number, lambda held: replace(held, is_default=True))
    control_plane.domains.change(account.id, number, lambda held: replace(held, dkim_keys=(KEY,)))
    control_plane.domains.withdraw(account.id, number)
    control_plane.domains.remove(account.id, number)
    control_plane.keys.revoke(account.id, key.id, now)
    for state in (AccountState.SUSPENDED, AccountState.ACTIVE, AccountState.CLOSED):
        lifecycle.move(control_plane.accounts, account, state)

    assert acts(control_plane, account) == [
        "account_created",
        "key_issued",
        "domain_claimed",
        "domain_verified",
        "domain_changed",
        "dkim_keys_changed",
        "domain_withdrawn",
        "domain_removed",
        "key_revoked",
        "account_suspended",
        "account_resumed",
        "account_closed",
    ]
    assert control_plane.audit.verify(None, []).faults == ()


def test_an_act_that_changes_nothing_is_not_written_again(
    control_plane: ControlPlane, account: Account, issue: Callable[..., Any]
) -> None:
    key, now = issue().key, control_plane.clock.now()
    number = control_plane.domains.add(claim(account))
    for _ in range(2):
        lifecycle.move(control_plane.accounts, account, AccountState.SUSPENDED)
        control_plane.keys.revoke(account.id, key.id, control_plane.clock.now())
        control_plane.keys.change_grant(account.id, key.id, lambda grant: grant)
        control_plane.domains.mark_verified(account.id, number, control_plane.clock.now())
        control_plane.domains.change(account.id, number, lambda held: replace(held, checked_at=now))
        control_plane.domains.withdraw(account.id, number)
        control_plane.domains.withdraw(account.id, number)
        control_plane.domains.remove(account.id, number)
        number = control_plane.domains.add(claim(account))

    assert acts(control_plane, account).count("account_suspended") == 1
    assert acts(control_plane, account).count("key_revoked") == 1
    assert acts(control_plane, account).count("key_narrowed") == 0
    assert acts(control_plane, account).count("domain_withdrawn") == 2
    assert acts(control_plane, account).count("domain_changed") == 0


def test_what_is_refused_is_not_written(
    control_plane: ControlPlane, account: Account, issue: Callable[..., Any]
) -> None:
    issued = issue().key
    rival = lifecycle.create(
        control_plane.accounts, "rival", now=control_plane.clock.now(), entropy=control_plane.entropy
    )
    number = control_plane.domains.add(claim(account))
    control_plane.domains.mark_verified(account.id, number, control_plane.clock.now())
    theirs = control_plane.domains.add(claim(rival))
    before = control_plane.audit.list_heads()

    with pytest.raises(AccountNameTaken):
        control_plane.accounts.add(replace(account, id=AccountId("acc_other")))
    with pytest.raises(DomainTaken):
        control_plane.domains.add(claim(account))
    with pytest.raises(DomainTaken):
        control_plane.domains.mark_verified(rival.id, theirs, control_plane.clock.now())
    with pytest.raises(LookupError):
        control_plane.domains.mark_verified(rival.id, number, control_plane.clock.now())
    wider = Grant(scopes=frozenset({"mail.send", "stats.read"}))
    assert isinstance(control_plane.keys.change_grant(account.id, issued.id, lambda g: narrow(g, wider)), Deny)
    assert control_plane.keys.revoke(rival.id, issued.id, control_plane.clock.now()) is None
    assert control_plane.keys.change_grant(rival.id, issued.id, lambda g: g) is None
    assert not control_plane.domains.remove(rival.id, number)
    assert control_plane.domains.change(rival.id, number, lambda held: replace(held, is_default=True)) is None
    assert not control_plane.accounts.change_state(
        account.id, to=AccountState.CLOSED, only_from=[AccountState.SUSPENDED]
    )

    assert control_plane.audit.list_heads() == before


def test_an_act_that_cannot_be_recorded_is_not_done(
    control_plane: ControlPlane, account: Account, issue: Callable[..., Any]
) -> None:
    key = issue().key
    execute(control_plane, "DROP TABLE audit_heads")

    for act in (
        lambda: control_plane.keys.revoke(account.id, key.id, control_plane.clock.now()),
        lambda: control_plane.domains.add(claim(account)),
        lambda: lifecycle.move(control_plane.accounts, account, AccountState.CLOSED),
        lambda: issue(name="another"),
    ):
        with pytest.raises(RelayError):
            act()

    found = control_plane.keys.list_all(account.id)
    assert [(each.name, each.revoked_at) for each in found] == [("billing", None)]
    assert control_plane.domains.list_all(account.id) == []
    assert control_plane.accounts.find(account.id) == account


def test_a_broken_log_keeps_nobody_from_revoking_and_stays_broken(
    control_plane: ControlPlane, account: Account, issue: Callable[..., Any]
) -> None:
    key = issue().key
    for table in ("audit_entries", "audit_heads"):
        execute(control_plane, f"DELETE FROM {table}")

    revoked = control_plane.keys.revoke(account.id, key.id, control_plane.clock.now())

    assert revoked is not None
    assert revoked.revoked_at is not None
    [fault] = control_plane.audit.verify(None, []).faults
    assert (fault.sequence, "found broken" in fault.text) == (1, True)


def test_an_act_that_fails_later_leaves_no_entry(control_plane: ControlPlane, account: Account) -> None:
    def fail_after_acting() -> None:
        with control_plane.audit.unit_of_work():
            lifecycle.move(control_plane.accounts, account, AccountState.CLOSED)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_acting()

    assert acts(control_plane, account) == ["account_created"]
    assert control_plane.accounts.find(account.id) == account


def test_several_acts_can_be_one_transaction(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account
) -> None:
    with control_plane.audit.unit_of_work():
        lifecycle.move(control_plane.accounts, account, AccountState.SUSPENDED)
        control_plane.domains.add(claim(account))
        inside = acts(control_plane, account)
        outside = acts(other_process, account)

    assert inside == ["account_created", "account_suspended", "domain_claimed"]
    assert outside == ["account_created"]
    assert acts(other_process, account) == inside


def test_two_processes_write_one_chain(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account
) -> None:
    for state in (AccountState.SUSPENDED, AccountState.ACTIVE) * 3:
        plane = control_plane if state is AccountState.ACTIVE else other_process
        lifecycle.move(plane.accounts, account, state)

    assert [each.sequence for each in entries(control_plane, account)] == [1, 2, 3, 4, 5, 6, 7]
    assert control_plane.audit.verify(account.id, []).faults == ()


def test_a_key_s_use_is_no_act(control_plane: ControlPlane, account: Account, issue: Callable[..., Any]) -> None:
    issued = issue()
    control_plane.principals.authenticate("apikey", issued.password, ip_address("192.0.2.1"))

    assert control_plane.principals.flush_last_used() == 1
    assert acts(control_plane, account) == ["account_created", "key_issued"]


# ---------------------------------------------------------------- what is found


@pytest.fixture
def history(control_plane: ControlPlane, account: Account, issue: Callable[..., Any]) -> list[AccountId]:
    """Three accounts with some ten entries each; returns their ids."""
    made = [account]
    made += [
        lifecycle.create(control_plane.accounts, name, now=control_plane.clock.now(), entropy=control_plane.entropy)
        for name in ("globex", "initech")
    ]
    for each in made:
        for number in range(3):
            key = issue(account_id=each.id, name=f"key {number}").key
            control_plane.keys.revoke(each.id, key.id, control_plane.clock.now())
        control_plane.domains.add(claim(each))
        for state in (AccountState.SUSPENDED, AccountState.ACTIVE):
            lifecycle.move(control_plane.accounts, each, state)
    return [each.id for each in made]


class Vandal:
    """Changes the log at random, by SQL: what somebody can do who has the database, and not the keyring."""

    def __init__(self, plane: ControlPlane, ids: list[AccountId], rng: random.Random) -> None:
        self.plane, self.rng = plane, rng
        self.account_id, self.other = rng.sample(ids, 2)
        [head] = [each for each in plane.audit.list_heads() if each.account_id == self.account_id]
        self.last = head.sequence
        self.number = rng.randint(1, self.last)

    def strike(self) -> tuple[str, AccountId, int | None]:
        """Do one thing; return what, and where it must be found: None for the head."""
        kind = self.rng.choice([name for name in dir(self) if name.startswith("strike_")])
        number: int | None = getattr(self, kind)()
        return kind, self.account_id, number

    def update(self, columns: str, number: int, **values: object) -> None:
        statement = f"UPDATE audit_entries SET {columns} WHERE account_id = :a AND sequence = :n"
        assert execute(self.plane, statement, a=self.account_id, n=number, **values) == 1

    def delete(self, which: str) -> None:
        statement = f"DELETE FROM audit_entries WHERE account_id = :a AND sequence {which} :n"
        assert execute(self.plane, statement, a=self.account_id, n=self.number)

    def row(self, number: int) -> dict[str, object]:
        statement = text("SELECT record, link FROM audit_entries WHERE account_id = :a AND sequence = :n")
        with self.plane.database.reading() as connection:
            return {**connection.execute(statement, {"a": self.account_id, "n": number}).one()._mapping}

    def strike_one_bit(self) -> int:
        record = bytearray(self.row(self.number)["record"])
        record[self.rng.randrange(len(record))] ^= 1 << self.rng.randrange(8)
        self.update("record = :record", self.number, record=bytes(record))
        return self.number

    def strike_one_word(self) -> int:
        record = self.row(self.number)["record"].replace(b'"gatepost"', b'"somebody"')
        self.update("record = :record", self.number, record=record)
        return self.number

    def strike_link(self) -> int:
        self.update("link = :link", self.number, link=self.rng.randbytes(32))
        return self.number

    def strike_by_deleting(self) -> int:
        self.delete("=")
        return self.number

    def strike_by_deleting_and_closing_the_gap(self) -> int:
        self.delete("=")
        for number in range(self.number + 1, self.last + 1):
            self.update("sequence = sequence - 1", number)
        return self.number

    def strike_by_swapping(self) -> int:
        target = self.rng.choice([each for each in range(1, self.last + 1) if each != self.number])
        columns = self.rng.choice(["record = :record, link = :link", "record = :record", "link = :link"])
        rows = self.row(self.number), self.row(target)
        for number, row in zip((target, self.number), rows, strict=True):
            self.update(columns, number, **{name: row[name] for name in row if f":{name}" in columns})
        return self.number

    def strike_by_grafting(self) -> int:
        self.delete("=")
        statement = "UPDATE audit_entries SET account_id = :a WHERE account_id = :b AND sequence = :n"
        assert execute(self.plane, statement, a=self.account_id, b=self.other, n=self.number)
        return self.number

    def strike_by_cutting(self) -> int:
        self.delete(">=")
        return self.number

    def strike_by_cutting_and_bending_the_head(self) -> None:
        self.delete(">=")
        link = "(SELECT link FROM audit_entries WHERE account_id = :a AND sequence = :n - 1)"
        change = f"UPDATE audit_heads SET sequence = :n - 1, link = {link} WHERE account_id = :a"
        remove = "DELETE FROM audit_heads WHERE account_id = :a AND :n = 1"
        assert execute(self.plane, remove if self.number == 1 else change, a=self.account_id, n=self.number) == 1

    def strike_head(self) -> None:
        change = self.rng.choice(["sequence = sequence + 1", "link = code", "code = link"])
        assert execute(self.plane, f"UPDATE audit_heads SET {change} WHERE account_id = :a", a=self.account_id) == 1


def entries_raw(plane: ControlPlane, account_id: AccountId) -> list[bytes]:
    with plane.database.reading() as connection:
        return [
            bytes(record)
            for record in connection.execute(
                text("SELECT record FROM audit_entries WHERE account_id = :a ORDER BY sequence"), {"a": account_id}
            ).scalars()
        ]


@pytest.mark.parametrize("seed", range(10))
def test_a_hundred_random_changes_by_sql_are_all_found_where_they_are(
    control_plane: ControlPlane, history: list[AccountId], seed: int
) -> None:
    rng = random.Random(seed)
    assert control_plane.audit.verify(None, []).faults == ()
    unseen = []

    for _ in range(100):
        with control_plane.database.writing() as connection:
            trial = connection.begin_nested()
            what, account_id, number = Vandal(control_plane, history, rng).strike()
            found = {(each.account_id, each.sequence) for each in control_plane.audit.verify(None, []).faults}
            if (account_id, number) not in found:
                unseen.append((what, account_id, number, found))
            trial.rollback()

    assert unseen == []
    assert control_plane.audit.verify(None, []).faults == ()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET record = CAST(x'ff' AS TEXT) WHERE sequence = 3",
        "UPDATE audit_entries SET record = 1000000000000 WHERE sequence = 3",
        "UPDATE audit_entries SET link = 1.5 WHERE sequence = 3",
        "UPDATE audit_entries SET account_id = CAST(x'ff' AS TEXT) WHERE sequence = 3",
        "UPDATE audit_entries SET sequence = 'three' WHERE sequence = 3",
        "UPDATE audit_heads SET account_id = CAST(x'ff' AS TEXT)",
        "UPDATE audit_heads SET sequence = 'x'",
        "UPDATE audit_heads SET code = ''",
        "DELETE FROM audit_heads",
    ],
)
def test_what_is_not_even_of_the_right_kind_is_found_too(
    sqlite_only: None, control_plane: ControlPlane, account: Account, issue: Callable[..., Any], statement: str
) -> None:
    issue()
    lifecycle.move(control_plane.accounts, account, AccountState.SUSPENDED)

    assert execute(control_plane, statement) == 1

    assert control_plane.audit.verify(None, []).faults


def test_a_log_that_is_gone_with_its_account_is_found_by_a_kept_head(
    control_plane: ControlPlane, account: Account
) -> None:
    [head] = control_plane.audit.list_heads()
    for table in ("audit_entries", "audit_heads", "accounts"):
        execute(control_plane, f"DELETE FROM {table}")

    kept = KeptHead(account_id=head.account_id, sequence=head.sequence, link=head.link)

    assert control_plane.audit.verify(None, []).faults == ()
    assert len(control_plane.audit.verify(None, [kept]).faults) == 2


def test_entries_of_no_account_are_found(control_plane: ControlPlane, account: Account) -> None:
    execute(control_plane, "INSERT INTO audit_entries SELECT 'acc_x', sequence, record, link FROM audit_entries")

    [fault] = control_plane.audit.verify(None, []).faults

    assert fault.text.startswith("1 entries belong to no account")


# ---------------------------------------------------------------- secrets


def test_no_secret_is_in_the_log(commands: Any, control_plane: ControlPlane) -> None:
    commands.run(account_group, "create", "acme")
    made = commands.run(key_group, "create", "--account", "acme", "--name", "n", "--scope", "mail.send").stdout.strip()
    commands.run(domain_group, "add", "--account", "acme", "example.com")
    commands.run(key_group, "narrow", made, "--from", "example.com")
    commands.run(key_group, "revoke", made)
    commands.run(domain_group, "remove", "--account", "acme", "--yes", "example.com")
    [head] = control_plane.audit.list_heads()
    with control_plane.database.reading() as connection:
        hashes = [bytes(each) for each in connection.execute(text("SELECT secret_hash FROM api_keys")).scalars()]
        sealed = [
            bytes(each) for each in connection.execute(text("SELECT sealed_private_key FROM dkim_keys")).scalars()
        ]

    log = b"\n".join(entries_raw(control_plane, head.account_id))

    assert head.sequence == 6
    assert made.split(".")[1].encode() in log
    assert made.split(".")[2].encode() not in log
    for secret in (*hashes, *sealed):
        assert secret not in log
        assert secret.hex().encode() not in log
    assert b"PRIVATE" not in log


def test_keys_are_found_through_the_recording_store(
    control_plane: ControlPlane, account: Account, issue: Callable[..., Any]
) -> None:
    key = issue().key

    assert control_plane.keys.find(account.id, key.id) == key
    assert control_plane.keys.find(account.id, KeyId("none")) is None
    assert control_plane.domains.find_verified("example.com") is None
