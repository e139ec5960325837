"""The unit of work, the migrations, and what they leave, on either engine."""

import re
import signal
import sqlite3
import stat
import sys
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from alembic import command
from sqlalchemy import create_engine, text
from tests.support.postgresql import PostgresqlServer

from gatepost.primitives.errors import Misconfigured, Transient
from gatepost.primitives.ids import AccountId
from gatepost.runtime.control_plane import ControlPlane
from gatepost.storage.database import Database
from gatepost.storage.engine import open_engine
from gatepost.storage.migrate import alembic_config, migrate
from gatepost.storage.schema import SCHEMA_REVISION, metadata
from gatepost.storage.senders import SqlDomainStore
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import Account, AccountState
from gatepost.tenancy.accounts.ports import AccountNameTaken
from gatepost.tenancy.senders.domain import DomainId, DomainState, DomainTaken


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


def statements(path: Path) -> dict[str, list[str]]:
    """What SQLite says the tables and indexes are, their clauses in one order and spelling."""
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    return {
        name: sorted(clause.strip(" ,\t").replace('"', "") for clause in re.split(r"\n|, (?=\w+ [A-Z])", sql))
        for name, sql in rows
        if name != "alembic_version"
    }


def test_the_migrations_make_exactly_the_schema(url: str, path: Path, tmp_path: Path) -> None:
    migrate(url)
    declared = tmp_path / "declared.db"
    engine = create_engine(f"sqlite:///{declared}")
    metadata.create_all(engine)
    engine.dispose()

    migrated = statements(path)

    assert migrated == statements(declared)
    assert "domain_owners" in migrated


def test_migrating_leaves_the_revision_the_program_was_written_for(url: str) -> None:
    migrate(url)

    database = Database(url)
    with database.reading() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == SCHEMA_REVISION
    database.close()


def test_migrating_again_changes_nothing(url: str, path: Path) -> None:
    migrate(url)
    before = statements(path)

    migrate(url)

    assert statements(path) == before


def test_a_migration_that_fails_leaves_no_trace(url: str, path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE domains (x)")  # in the way of the third table
    connection.close()

    with pytest.raises(Transient, match="domains already exists"):
        migrate(url)

    assert list(statements(path)) == ["domains"]


def test_files_are_readable_by_their_owner_only(url: str, tmp_path: Path) -> None:
    migrate(url)
    database = Database(url)

    with database.writing() as connection:
        connection.execute(text("DELETE FROM domains"))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    database.close()

    assert modes == {"control.db": 0o600, "control.db-wal": 0o600, "control.db-shm": 0o600}


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 5000)]
)
def test_every_connection_is_durable_and_consistent(
    sqlite_only: None, control_plane: ControlPlane, pragma: str, value: object
) -> None:
    with control_plane.database.reading() as connection:
        assert connection.execute(text(f"PRAGMA {pragma}")).scalar() == value


def test_a_unit_of_work_that_raises_changes_nothing(control_plane: ControlPlane, account: object) -> None:
    def fail_half_way() -> None:
        with control_plane.database.writing() as connection:
            connection.execute(text("UPDATE accounts SET state = 'closed'"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()

    with control_plane.database.reading() as connection:
        assert connection.execute(text("SELECT state FROM accounts")).scalar() == "active"


def test_a_second_writer_waits_for_the_first(control_plane: ControlPlane, other_process: ControlPlane) -> None:
    order: list[str] = []

    def write() -> None:
        with other_process.database.writing():
            order.append("second")

    with control_plane.database.writing():
        thread = Thread(target=write)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join()

    assert order == ["first", "second"]


def test_a_database_that_stays_busy_is_transient(
    shorten_waiting: None, control_plane: ControlPlane, place: Any
) -> None:
    other = place.open()

    with (
        control_plane.database.writing(),
        pytest.raises(Transient, match=r"database is locked|lock timeout"),
        other.database.writing(),
    ):
        pass
    other.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql+asyncpg://user:hunter2@db/gatepost", "no other engine"),
        ("mysql://user:hunter2@db/gatepost", "no other engine"),
        ("sqlite://", "no other engine"),
        ("sqlite:///:memory:", "no other engine"),
        ("not a url: hunter2", "cannot be read"),
    ],
)
def test_a_url_we_cannot_open_is_explained_without_repeating_it(url: str, message: str) -> None:
    with pytest.raises(Misconfigured, match=message) as caught:
        Database(url)

    assert "hunter2" not in str(caught.value)


def test_a_missing_database_is_not_made(url: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="gatepost init"):
        Database(url)

    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="No such file"):
        migrate(f"sqlite:///{tmp_path}/nowhere/control.db")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "gatepost migrate"), (b"This is no database at all. " * 100, "gatepost migrate.*not a database")],
    ids=["empty", "garbage"],
)
def test_a_file_without_a_control_plane_is_refused(url: str, path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)

    with pytest.raises(Misconfigured, match=message):
        Database(url)


@pytest.mark.parametrize(("revision", "is_taken"), [("0000", False), (SCHEMA_REVISION, True), ("9999", True)])
def test_an_older_schema_is_refused_and_a_newer_one_taken(url: str, path: Path, revision: str, is_taken: bool) -> None:
    migrate(url)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.commit()
    connection.close()

    if is_taken:
        Database(url).close()
    else:
        with pytest.raises(Misconfigured, match="has schema 0000"):
            Database(url)


# ---------------------------------------------------------------- either engine


def test_a_reader_sees_one_moment(control_plane: ControlPlane, other_process: ControlPlane, account: Account) -> None:
    with control_plane.database.reading() as connection:
        before = connection.execute(text("SELECT state FROM accounts")).scalar()
        lifecycle.move(other_process.accounts, account, AccountState.CLOSED)
        after = connection.execute(text("SELECT state FROM accounts")).scalar()

    assert (before, after) == ("active", "active")
    with control_plane.database.reading() as connection:
        assert connection.execute(text("SELECT state FROM accounts")).scalar() == "closed"


def test_what_a_writer_has_read_stays_true(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account
) -> None:
    moves = [
        Thread(target=other_process.accounts.change_state, args=(account.id,), kwargs={"to": to, "only_from": [of]})
        for of, to in [(AccountState.ACTIVE, AccountState.CLOSED)]
    ]

    with control_plane.database.writing() as connection:
        before = connection.execute(text("SELECT state FROM accounts")).scalar()
        moves[0].start()
        moves[0].join(0.2)
        connection.execute(text("UPDATE accounts SET state = 'suspended' WHERE state = 'active'"))
        after = connection.execute(text("SELECT state FROM accounts")).scalar()
    moves[0].join()

    assert (before, after) == ("active", "suspended")
    found = control_plane.accounts.find(account.id)
    assert found is not None
    assert found.state is AccountState.SUSPENDED


def test_a_part_that_fails_is_undone_alone(control_plane: ControlPlane, account: Account) -> None:
    with control_plane.database.writing():
        with pytest.raises(AccountNameTaken):
            control_plane.accounts.add(replace(account, id=AccountId("acc_other")))
        lifecycle.move(control_plane.accounts, account, AccountState.SUSPENDED)

    assert [each.state for each in control_plane.accounts.list_all()] == [AccountState.SUSPENDED]


def test_domains_claimed_before_they_had_numbers_keep_their_keys_and_their_holders(
    request: pytest.FixtureRequest, engine_name: str, url: str, postgresql: PostgresqlServer
) -> None:
    if engine_name == "postgresql":
        url = postgresql.url(request.getfixturevalue("empty_postgresql"))
    engine = open_engine(url)
    engine.create()
    with engine.writes.begin() as connection:
        command.upgrade(alembic_config(connection), "0003")
        connection.execute(text("INSERT INTO accounts VALUES ('acc_a', 'a', 'active', 0), ('acc_b', 'b', 'active', 0)"))
        connection.execute(
            text(
                "INSERT INTO domains VALUES ('acc_b', 'example.com', 'pending', 2, NULL), "
                "('acc_a', 'example.com', 'verified', 1, 5)"
            )
        )
        connection.execute(
            text("INSERT INTO dkim_keys VALUES ('acc_b', 'example.com', 'gpbr', 0, 'rsa-sha256', :sealed, 'cHVi', 2)"),
            {"sealed": b"sealed"},
        )
    engine.writes.dispose()

    migrate(url)

    database = Database(url)
    store = SqlDomainStore(database, database.open_version())
    (a,), (b,) = store.list_all(AccountId("acc_a")), store.list_all(AccountId("acc_b"))
    assert (a.id, a.state, a.created_at < b.created_at) == (1, DomainState.VERIFIED, True)
    assert (b.id, b.state, [key.selector for key in b.signing_keys]) == (2, DomainState.PENDING, ["gpbr"])
    assert b.dkim_keys[0].sealed_private_key == b"sealed"
    with pytest.raises(DomainTaken):
        store.mark_verified(AccountId("acc_b"), b.id, b.created_at)
    assert store.add(replace(b, name="other.example", dkim_keys=(), id=DomainId(0))) == 3
    database.close()


# ---------------------------------------------------------------- PostgreSQL


def test_the_migrations_make_exactly_the_schema_on_postgresql(
    postgresql: PostgresqlServer, postgresql_template: str, empty_postgresql: str
) -> None:
    engine = create_engine(postgresql.url(empty_postgresql))
    metadata.create_all(engine)
    engine.dispose()

    migrated = postgresql.dump_schema(postgresql_template)

    assert sorted(migrated.splitlines()) == sorted(postgresql.dump_schema(empty_postgresql).splitlines())
    assert "domain_owners" in migrated


def test_migrating_postgresql_again_changes_nothing(postgresql_only: None, database_url: str) -> None:
    migrate(database_url)

    Database(database_url).close()


def test_two_migrations_of_postgresql_take_turns(postgresql: PostgresqlServer, empty_postgresql: str) -> None:
    url = postgresql.url(empty_postgresql)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            migrate(url)
        except BaseException as error:
            errors.append(error)

    threads = [Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    Database(url).close()


def test_a_migration_that_fails_leaves_no_trace_on_postgresql(
    postgresql: PostgresqlServer, empty_postgresql: str
) -> None:
    postgresql.execute("CREATE TABLE domains (x int)", empty_postgresql)

    with pytest.raises(Misconfigured, match='"domains" already exists'):
        migrate(postgresql.url(empty_postgresql))

    assert postgresql.execute("SELECT string_agg(tablename, ',') FROM pg_tables WHERE schemaname = 'public'",
                              empty_postgresql).strip() == "domains"  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "value"),
    [("synchronous_commit", "on"), ("lock_timeout", "5s"), ("statement_timeout", "15s")],
)
def test_every_postgresql_connection_is_durable_and_bounded(
    postgresql_only: None, postgresql: PostgresqlServer, place: Any, setting: str, value: str
) -> None:
    name = place.url.partition("@/")[2].partition("?")[0]
    postgresql.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")

    with place.open() as plane, plane.database.writing() as connection:
        assert connection.execute(text(f"SHOW {setting}")).scalar() == value


def test_a_reader_of_postgresql_cannot_write(postgresql_only: None, control_plane: ControlPlane) -> None:
    with (
        pytest.raises(Misconfigured, match="read-only"),
        control_plane.database.reading() as connection,
    ):
        connection.execute(text("DELETE FROM domains"))


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_may_lose_commits_is_refused(
    postgresql_only: None, postgresql: PostgresqlServer, database_url: str, setting: str
) -> None:
    postgresql.configure(setting, "off")
    try:
        with pytest.raises(Misconfigured, match=f"{setting} = off"):
            Database(database_url)
    finally:
        postgresql.configure(setting, "on")


def test_a_commit_outlives_a_crash_of_the_server_and_work_goes_on(
    postgresql_only: None, postgresql: PostgresqlServer, control_plane: ControlPlane, account: Account
) -> None:
    version = control_plane.version.version()
    lifecycle.move(control_plane.accounts, account, AccountState.SUSPENDED)
    postgresql.stop(signal.SIGQUIT)

    with pytest.raises(Transient, match="did not answer"):
        control_plane.version.version()
    with pytest.raises(Transient, match="did not answer"):
        control_plane.accounts.find(account.id)
    postgresql.start()

    assert control_plane.version.version() != version
    found = control_plane.accounts.find(account.id)
    assert found is not None
    assert found.state is AccountState.SUSPENDED


def test_a_server_that_is_not_there_is_explained_without_the_password() -> None:
    pytest.importorskip("psycopg")
    url = "postgresql://user:hunter2@/gatepost?host=/nonexistent"

    with pytest.raises(Misconfigured, match="mend database_url") as caught:
        Database(url)
    with pytest.raises(Transient) as in_migrating:
        migrate(url)

    assert "hunter2" not in str(caught.value) + str(in_migrating.value)


def test_an_empty_postgresql_database_is_refused(postgresql: PostgresqlServer, empty_postgresql: str) -> None:
    with pytest.raises(Misconfigured, match="gatepost migrate"):
        Database(postgresql.url(empty_postgresql))


def test_without_the_driver_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gatepost.storage.postgresql", None)

    with pytest.raises(Misconfigured, match=r"pip install 'gatepost\[postgresql\]'"):
        Database("postgresql://user@host/gatepost")


def test_accounts_and_what_refers_to_them_are_kept_when_subusers_come(url: str, path: Path) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0003")
        connection.execute(text("INSERT INTO accounts VALUES ('acc_1', 'acme', 'suspended', 7)"))
        connection.execute(text("INSERT INTO domains VALUES ('acc_1', 'example.com', 'pending', 7, NULL)"))
    engine.dispose()

    migrate(url)

    database = Database(url)
    with database.reading() as connection:
        [account] = connection.execute(text("SELECT * FROM accounts")).mappings()
        [domain] = connection.execute(text("SELECT account_id FROM domains")).scalars()
        broken = connection.execute(text("PRAGMA foreign_key_check")).all()
    database.close()
    assert dict(account) == {
        "id": "acc_1", "name": "acme", "state": "suspended", "created_at": 7, "parent_id": None, "email": "",
        "disabled_at": None, "website_disabled_at": None, "addresses": "[]", "monitor_email": None,
        "monitor_frequency": None,
    }  # fmt: skip
    assert (domain, broken) == ("acc_1", [])
