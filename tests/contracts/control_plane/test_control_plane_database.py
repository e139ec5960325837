"""The unit of work, the migrations, and the files they leave."""

import re
import sqlite3
import stat
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import create_engine, text

from gatepost.primitives.errors import Misconfigured, Transient
from gatepost.runtime.control_plane import ControlPlane
from gatepost.storage.database import Database, sqlite_path
from gatepost.storage.migrate import migrate
from gatepost.storage.schema import SCHEMA_REVISION, metadata


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/control.db"


def statements(path: Path) -> dict[str, list[str]]:
    """What SQLite says the tables and indexes are, their clauses in one order and spelling."""
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    return {
        name: sorted(clause.strip(" ,").replace('"', "") for clause in re.split(r"\n", sql))
        for name, sql in rows
        if name != "alembic_version"
    }


def test_the_migrations_make_exactly_the_schema(url: str, tmp_path: Path) -> None:
    migrate(url)
    declared = tmp_path / "declared.db"
    engine = create_engine(f"sqlite:///{declared}")
    metadata.create_all(engine)
    engine.dispose()

    migrated = statements(sqlite_path(url))

    assert migrated == statements(declared)
    assert "uq_domains_verified_name" in migrated


def test_migrating_leaves_the_revision_the_program_was_written_for(url: str) -> None:
    migrate(url)

    database = Database(url)
    with database.reading() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == SCHEMA_REVISION
    database.close()


def test_migrating_again_changes_nothing(url: str) -> None:
    migrate(url)
    before = statements(sqlite_path(url))

    migrate(url)

    assert statements(sqlite_path(url)) == before


def test_a_migration_that_fails_leaves_no_trace(url: str) -> None:
    connection = sqlite3.connect(sqlite_path(url))
    connection.execute("CREATE TABLE domains (x)")  # in the way of the third table
    connection.close()

    with pytest.raises(Transient, match="domains already exists"):
        migrate(url)

    assert list(statements(sqlite_path(url))) == ["domains"]


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
def test_every_connection_is_durable_and_consistent(control_plane: ControlPlane, pragma: str, value: object) -> None:
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
    control_plane: ControlPlane, place: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatepost.storage.database.BUSY_TIMEOUT_SECONDS", 0.05)
    other = place.open()

    with (
        control_plane.database.writing(),
        pytest.raises(Transient, match="database is locked"),
        other.database.writing(),
    ):
        pass
    other.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://user:hunter2@db/gatepost", "no other engine"),
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
def test_a_file_without_a_control_plane_is_refused(url: str, content: bytes, message: str) -> None:
    sqlite_path(url).write_bytes(content)

    with pytest.raises(Misconfigured, match=message):
        Database(url)


@pytest.mark.parametrize(("revision", "is_taken"), [("0000", False), (SCHEMA_REVISION, True), ("9999", True)])
def test_an_older_schema_is_refused_and_a_newer_one_taken(url: str, revision: str, is_taken: bool) -> None:
    migrate(url)
    connection = sqlite3.connect(sqlite_path(url))
    connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.commit()
    connection.close()

    if is_taken:
        Database(url).close()
    else:
        with pytest.raises(Misconfigured, match="has schema 0000"):
            Database(url)
