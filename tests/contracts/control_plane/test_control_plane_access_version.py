"""AccessVersion: what it must see."""

import subprocess
import sys

import pytest

from gatepost.primitives.errors import Transient
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


def test_it_moves_with_a_commit_of_another_process(control_plane: ControlPlane, account: Account) -> None:
    before = control_plane.version.version()

    program = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); "
        "c.execute(\"UPDATE accounts SET state='closed'\"); c.commit()"
    )
    subprocess.run([sys.executable, "-c", program, str(control_plane.database.path)], check=True)

    assert control_plane.version.version() != before


def test_it_does_not_hold_the_log_back(control_plane: ControlPlane, account: Account) -> None:
    control_plane.version.version()
    for state in (AccountState.SUSPENDED, AccountState.ACTIVE) * 5:
        lifecycle.move(control_plane.accounts, account, state)
        control_plane.version.version()

    with control_plane.database.reading() as connection:
        busy, in_log, moved = connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").one()

    assert (busy, in_log) == (0, moved)  # an open snapshot would keep frames from being moved


def test_it_cannot_write(control_plane: ControlPlane, account: Account) -> None:
    with pytest.raises(Exception, match="readonly"):
        control_plane.version._connection.execute("UPDATE accounts SET state = 'closed'")


def test_a_closed_store_is_transient(place: object) -> None:
    opened = place.open()
    opened.close()

    with pytest.raises(Transient):
        opened.version.version()
