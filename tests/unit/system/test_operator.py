import os
import pwd

import pytest

from gatepost.system.operator import identify_operator
from gatepost.tenancy.audit.entry import ActorKind


def test_the_user_is_the_one_the_kernel_knows() -> None:
    actor = identify_operator({"USER": "somebody", "LOGNAME": "else"})

    assert (actor.kind, actor.id, actor.credential) == (
        ActorKind.OPERATOR,
        pwd.getpwuid(os.getuid()).pw_name,
        f"uid {os.getuid()}",
    )


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)

    assert identify_operator({"SUDO_USER": "alice"}).id == "uid 4000000"


@pytest.mark.parametrize(
    ("sudo_user", "expected"),
    [("alice", "root (alice by sudo)"), ("", "root"), ("root", "root"), ("a\x1b[31m", "root")],
)
def test_who_became_root_is_told(monkeypatch: pytest.MonkeyPatch, sudo_user: str, expected: str) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)

    assert identify_operator({"SUDO_USER": sudo_user}).id == expected


@pytest.mark.parametrize(
    ("connection", "expected"),
    [("192.0.2.7 50000 10.0.0.1 22", "ssh 192.0.2.7"), ("2001:db8::1 50000 ::1 22", "ssh 2001:db8::1")],
)
def test_an_address_is_told(connection: str, expected: str) -> None:
    assert identify_operator({"SSH_CONNECTION": connection}).origin == expected


@pytest.mark.parametrize("environment", [{}, {"SSH_CONNECTION": "\x1b[31m"}])
def test_without_an_address_it_is_the_terminal(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    monkeypatch.setattr(os, "ttyname", lambda descriptor: f"/dev/pts/{descriptor}")

    assert identify_operator(environment).origin == "/dev/pts/0"


def test_without_either_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> str:
        raise OSError

    monkeypatch.setattr(os, "ttyname", refuse)

    assert identify_operator({}).origin == ""
