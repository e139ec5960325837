"""AccessVersion: what it must see."""

import subprocess
import sys
from typing import Any

import pytest
from sqlalchemy import text

from gatepost.primitives.errors import Misconfigured, Transient
from gatepost.runtime.control_plane import ControlPlane
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import Account, AccountState


def test_it_stands_still_while_nothing_is_committed(control_plane: ControlPlane, account: Account) -> None:
    before = control_plane.version.version()

    control_plane.accounts.find(account.id)

    assert control_plane.version.version() == before


def test_it_moves_with_a_commit_of_our_own(control_plane: ControlPlane, account: Account) -> None:
    before = control_plane.version.version()

    lifecycle.move(control_plane.accounts, account, AccountState.SUSPENDED)

    assert control_plane.version.version() != before


def test_it_moves_with_a_commit_through_another_connection(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account
) -> None:
    before = control_plane.version.version()

    lifecycle.move(other_process.accounts, account, AccountState.SUSPENDED)

    assert control_plane.version.version() != before


def test_it_moves_with_a_commit_of_another_process(
    sqlite_only: None, place: Any, control_plane: ControlPlane, account: Account
) -> None:
    before = control_plane.version.version()

    program = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); "
        "c.execute(\"UPDATE accounts SET state='closed'\"); c.commit()"
    )
    subprocess.run([sys.executable, "-c", program, place.url.removeprefix("sqlite:///")], check=True)

    assert control_plane.version.version() != before


def test_it_does_not_hold_the_log_back(sqlite_only: None, control_plane: ControlPlane, account: Account) -> None:
    control_plane.version.version()
    for state in (AccountState.SUSPENDED, AccountState.ACTIVE) * 5:
        lifecycle.move(control_plane.accounts, account, state)
        control_plane.version.version()

    with control_plane.database.reading() as connection:
        busy, in_log, moved = connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").one()

    assert (busy, in_log) == (0, moved)  # an open snapshot would keep frames from being moved


def test_it_cannot_write(sqlite_only: None, control_plane: ControlPlane, account: Account) -> None:
    with pytest.raises(Exception, match="readonly"):
        control_plane.version._connection.execute("UPDATE accounts SET state = 'closed'")


def test_a_closed_store_is_transient(place: object) -> None:
    opened = place.open()
    opened.close()

    with pytest.raises(Transient):
        opened.version.version()


def test_it_moves_with_the_commit_of_any_client_of_postgresql_that_keeps_the_rule(
    postgresql_only: None, control_plane: ControlPlane, other_process: ControlPlane, account: Account
) -> None:
    seen = [control_plane.version.version()]
    for state in (AccountState.SUSPENDED, AccountState.ACTIVE) * 10:
        lifecycle.move(other_process.accounts, account, state)
        seen.append(control_plane.version.version())

    assert len(set(seen)) == 21


def test_it_does_not_move_before_the_commit(
    postgresql_only: None, control_plane: ControlPlane, other_process: ControlPlane
) -> None:
    before = control_plane.version.version()

    with other_process.database.writing():
        assert control_plane.version.version() == before

    assert control_plane.version.version() != before


def test_numbers_never_repeat_over_a_broken_connection(postgresql_only: None, control_plane: ControlPlane) -> None:
    before = control_plane.version.version()
    control_plane.database.close()
    with control_plane.database.reading() as connection:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        connection.execute(text(f"{others} AND datname = current_database()"))

    assert control_plane.version.version() > before


def test_without_its_row_nothing_is_answered_and_nothing_written(
    postgresql_only: None, control_plane: ControlPlane, account: Account
) -> None:
    with control_plane.database.writing() as connection:
        connection.execute(text("DELETE FROM access_version"))

    with pytest.raises(Misconfigured, match="restore it"):
        control_plane.version.version()
    with pytest.raises(Misconfigured, match="restore it"):
        lifecycle.move(control_plane.accounts, account, AccountState.SUSPENDED)
