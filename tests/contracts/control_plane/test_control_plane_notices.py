"""How far people have been told of an audit log: on both engines, by one of two processes at a time, never back."""

from pathlib import Path

from alembic import command
from sqlalchemy import create_engine, text

from gatepost.primitives.ids import AccountId
from gatepost.runtime.control_plane import ControlPlane
from gatepost.storage.migrate import alembic_config, migrate
from gatepost.storage.notices import SqlNoticeCursors
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import Account, AccountState
from gatepost.tenancy.accounts.ports import LogPlace


def behind(plane: ControlPlane, limit: int = 10) -> list[LogPlace]:
    return list(SqlNoticeCursors(plane.database).list_behind(limit))


def test_an_account_is_behind_until_its_log_has_been_gone_through(
    control_plane: ControlPlane, other_process: ControlPlane, account: Account
) -> None:
    assert behind(control_plane) == [LogPlace(account_id=account.id, told=0, last=1)]

    SqlNoticeCursors(control_plane.database).advance(account.id, 1)
    assert behind(other_process) == []

    lifecycle.move(other_process.accounts, account, AccountState.SUSPENDED)
    assert behind(control_plane) == [LogPlace(account_id=account.id, told=1, last=2)]
    SqlNoticeCursors(other_process.database).advance(account.id, 2)
    assert behind(control_plane) == []


def test_it_never_goes_back(control_plane: ControlPlane, account: Account) -> None:
    cursors = SqlNoticeCursors(control_plane.database)
    for sequence in (5, 3):
        cursors.advance(account.id, sequence)

    lifecycle.move(control_plane.accounts, account, AccountState.SUSPENDED)

    assert behind(control_plane) == []


def test_only_so_many_accounts_are_given_at_a_time(control_plane: ControlPlane, account: Account) -> None:
    lifecycle.create(control_plane.accounts, "other", now=control_plane.clock.now(), entropy=control_plane.entropy)

    assert len(behind(control_plane)) == 2
    assert len(behind(control_plane, 1)) == 1


def test_what_was_done_before_the_upgrade_is_told_to_nobody(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/control.db")
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0010")
        connection.execute(
            text("INSERT INTO accounts (id, name, state, created_at, email, addresses)"
                 " VALUES ('acc_1', 'acme', 'active', 7, '', '[]')")
        )  # fmt: skip
        connection.execute(text("INSERT INTO audit_heads VALUES ('acc_1', 42, x'00', x'00')"))

    migrate(f"sqlite:///{tmp_path}/control.db")

    with engine.begin() as connection:
        [row] = connection.execute(text("SELECT account_id, sequence FROM notice_cursors")).all()
    engine.dispose()
    assert (AccountId(row[0]), row[1]) == ("acc_1", 42)
