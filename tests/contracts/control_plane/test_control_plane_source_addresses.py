"""From where an account's mail leaves: by what is assigned to it now, on whatever process that was done."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from gatepost.mailflow.delivery.source import ANY_SOURCE, Sources
from gatepost.network.local_address import find_bind_trouble
from gatepost.primitives.errors import Misconfigured
from gatepost.runtime.assigned_sources import LOOK_EVERY_SECONDS, AssignedSources, parse_source_addresses
from gatepost.runtime.control_plane import ControlPlane
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.accounts.account import Account

LOCAL = {"198.51.100.1": "127.0.0.2", "198.51.100.2": "127.0.0.3", "2001:db8::1": "::1"}


@dataclass
class Machine:
    """Which addresses are this machine's, and what time it is."""

    lacks: set[str] = field(default_factory=set)
    seconds: float = 0.0

    def find_trouble(self, address: str) -> str:
        return "gone" if address in self.lacks else ""

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def sources(control_plane: ControlPlane, machine: Machine) -> AssignedSources:
    return AssignedSources(
        LOCAL,
        accounts=control_plane.accounts,
        version=control_plane.version,
        find_trouble=machine.find_trouble,
        monotonic=machine.monotonic,
    )


@pytest.fixture
def make_subuser(control_plane: ControlPlane, account: Account) -> Callable[..., Account]:
    def make_subuser(*addresses: str) -> Account:
        return lifecycle.create(
            control_plane.accounts, "news", now=control_plane.clock.now(), entropy=control_plane.entropy,
            parent=account, addresses=addresses,
        )  # fmt: skip

    return make_subuser


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        pytest.param((), ANY_SOURCE, id="none"),
        pytest.param(("203.0.113.1",), ANY_SOURCE, id="one that is not here"),
        pytest.param(("198.51.100.2", "203.0.113.1"), Sources(addresses=("127.0.0.3",)), id="one that is"),
        pytest.param(("2001:0db8:0::1",), Sources(addresses=("::1",)), id="spelled otherwise"),
    ],
)
def test_an_account_leaves_from_what_is_assigned_and_here(
    sources: AssignedSources, make_subuser: Callable[..., Account], addresses: tuple[str, ...], expected: Sources
) -> None:
    assert sources.find(make_subuser(*addresses).id) == expected


def test_an_assignment_by_another_process_holds_at_once(
    sources: AssignedSources, make_subuser: Callable[..., Account], other_process: ControlPlane
) -> None:
    subuser = make_subuser()
    before = sources.find(subuser.id)

    other_process.accounts.change_subuser(
        subuser.parent_id,
        subuser.id,
        lambda it: replace(it, addresses=("198.51.100.1",)),  # type: ignore[arg-type]  # it has one
    )

    assert before == ANY_SOURCE
    assert sources.find(subuser.id) == Sources(addresses=("127.0.0.2",))


def test_mail_leaves_from_no_other_address_while_its_own_cannot_be_used(
    sources: AssignedSources, make_subuser: Callable[..., Account], machine: Machine
) -> None:
    subuser = make_subuser("198.51.100.1")
    machine.lacks = {"127.0.0.2"}

    waiting = sources.find(subuser.id)
    machine.lacks = set()
    again = sources.find(subuser.id)
    machine.seconds = LOOK_EVERY_SECONDS

    assert waiting.addresses == again.addresses == ()
    assert "127.0.0.2: gone" in waiting.trouble
    assert sources.find(subuser.id) == Sources(addresses=("127.0.0.2",))


def test_one_of_two_that_can_be_used_is_enough(
    sources: AssignedSources, make_subuser: Callable[..., Account], machine: Machine
) -> None:
    machine.lacks = {"127.0.0.2"}

    found = sources.find(make_subuser("198.51.100.1", "198.51.100.2").id)

    assert found == Sources(addresses=("127.0.0.3",))
    assert sources.count_unusable() == 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"x": "127.0.0.1"}, "x = 127.0.0.1"), ({"192.0.2.1": "y"}, "'y'"), ({"192.0.2.1": "::1"}, "both must be IPv4")],
)
def test_what_is_no_pair_of_addresses_is_refused(settings: dict[str, str], said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        parse_source_addresses(settings)


def test_addresses_are_kept_in_one_spelling() -> None:
    assert parse_source_addresses({"2001:DB8:0::1": "0:0::1"}) == {"2001:db8::1": "::1"}


def test_whether_an_address_is_this_machines_is_found_out() -> None:
    assert find_bind_trouble("127.0.0.2") == ""
    # RFC 5737: nobody's.
    assert find_bind_trouble("192.0.2.77") != ""
