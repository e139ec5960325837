"""No widening (architecture, promise 6): whatever calls are made, in whatever order, nobody gains a right that neither
he nor whoever gave it held before.

``widening_machine`` makes the calls and ``rights`` counts. Every operation of the OpenAPI document is either a rule of
the machine or named below with a reason, and what is named is tried: it changes nothing that could be widened.
"""

import os
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.contracts.api.rights import SCOPES, World, look
from tests.contracts.api.test_api_tenants import (
    BODIES,
    NEEDS,
    THINGS,
    documented,
    make_tenant,
    operations_of_keys,
    things_of,
    urls_of,
)
from tests.contracts.api.widening_machine import GIVES_RIGHTS, LIMITS, Accounts

pytestmark = pytest.mark.timeout(3600)

EXAMPLES = int(os.environ.get("WIDENING_EXAMPLES", "5"))
"""Each is some fifty calls; 500 take ten minutes."""

GIVES_NONE = {
    "uses the right to send": {
        "SendMail", "CreateMailBatch", "CreateScheduledSend", "UpdateScheduledSend", "DeleteScheduledSend",
    },
    "edits the account's own list of addresses, which opens no door to whoever has no key": {
        "AddIpToAllowList", "UpdateAllowListMode", "DeleteAllowedIps", "DeleteAllowedIp",
    },
    "gives a name to send as to whoever proves that it is his: by mail to it, or in its DNS": {
        "CreateVerifiedSender", "ResendVerifiedSender", "VerifySender", "UpdateVerifiedSender", "DeleteVerifiedSender",
        "AuthenticateDomain", "UpdateAuthenticatedDomain", "DeleteAuthenticatedDomain", "ValidateAuthenticatedDomain",
        "AddIpToAuthenticatedDomain", "DeleteIpFromAuthenticatedDomain",
    },
    "names hosts and addresses that nobody sends as": {
        "CreateBrandedLink", "UpdateBrandedLink", "DeleteBrandedLink", "ValidateBrandedLink", "SetUpReverseDns",
        "DeleteReverseDns", "ValidateReverseDns", "AssociateBrandedLinkWithSubuser",
        "DisassociateBrandedLinkFromSubuser",
    },
    "mails words of ours": {"EmailDnsRecord"},
    "has a parent see some of its subuser's mail, which is the parent's own affair": {
        "CreateSubuserMonitor", "UpdateSubuserMonitor", "DeleteSubuserMonitor",
    },
}  # fmt: skip

ONE_S_OWN = {
    "a person proves who he is, and gets what he has": {
        "OpenSession", "ShowFactor", "BeginPasskey", "RequestPasswordReset", "RedeemPasswordReset",
    },
    "a person ends his own sessions": {"EndSession", "EndOtherSession"},
    "a person changes by what he is known": {
        "BeginTotp", "ConfirmTotp", "RemoveTotp", "BeginPasskeyEnrolment", "EnrolPasskey", "RemovePasskey",
        "MakeRecoveryCodes", "UpdateEmail", "ConfirmEmail", "UpdateUsername", "UpdatePassword",
    },
}  # fmt: skip
"""What no key may call; that no person gets around a step of it is shown in test_api_sessions."""


def named(*tables: dict[str, set[str]]) -> set[str]:
    return {name for table in tables for names in table.values() for name in names}


def test_every_operation_is_a_rule_or_gives_no_right(api: Any) -> None:
    reading = {each.name for each in api.operations() if each.method == "GET"} - {"VerifySender"}
    others = named(GIVES_NONE, ONE_S_OWN)

    assert documented(api).keys() - reading - others == GIVES_RIGHTS, "add a rule to the machine, or a reason here"
    assert others <= documented(api).keys()
    assert not others & GIVES_RIGHTS


async def test_what_is_said_to_give_no_right_gives_none(api: Any) -> None:
    own = make_tenant(api, "own")
    reading = {each.name for each in api.operations() if each.method == "GET"}
    statuses = set()
    for operation in operations_of_keys(api):
        if operation.name not in named(GIVES_NONE) | reading:
            continue
        needed = [NEEDS[operation.name]] if operation.name in NEEDS else things_of(operation)
        ids = {name: THINGS[name](api, own) for name in needed}
        url, *_ = urls_of(operation, own, ids)
        before = look(api.control, [own.account_id], api.clock.now())

        body = BODIES[operation.name](own) if operation.takes else None
        reply = await api.ask(operation.method, url, body, key=own.key, app=api.built)

        statuses.add(reply.status)
        after = look(api.control, [own.account_id], api.clock.now())
        # A name that is given up is a right the less.
        assert all(names <= before.names[account] for account, names in after.names.items()), operation.name
        assert _without_monitors(replace(after, names=before.names)) == _without_monitors(before), operation.name
    assert {200, 201, 204} <= statuses


def _without_monitors(world: World) -> World:
    return replace(world, accounts={name: replace(each, monitor=None) for name, each in world.accounts.items()})


@pytest.fixture
def machine(open_api: Any) -> type[Accounts]:
    return type("Machine", (Accounts,), {"open_api": staticmethod(open_api)})


def test_every_rule_gives_something_to_somebody(machine: type[Accounts]) -> None:
    """Else the test below would be right about a service that refuses everything."""
    world = machine()
    world.a_world()
    owner = world.people[0]

    def by_the_owner(do: Any, *given: Any) -> None:
        do([*world.keys, *world.people].index(owner), *given)

    by_the_owner(world.make_key, "shop", ["mail.send"], {})
    by_the_owner(world.make_key_with_all_that_the_caller_has, "")
    by_the_owner(world.change_key, "", len(world.keys) - 1, ["mail.send"], {})
    by_the_owner(world.rename_key, "", len(world.keys) - 1)
    by_the_owner(world.rotate_key, "", len(world.keys) - 1, 3600)
    by_the_owner(world.revoke_key, "", len(world.keys) - 1)
    by_the_owner(world.invite, ["mail.send"], False)
    by_the_owner(world.resend, 0)
    world.accept(len(world.letters) - 1)
    by_the_owner(world.invite, [], True)
    by_the_owner(world.withdraw, len(world.letters) - 1)
    by_the_owner(world.change_person, len(world.people) - 1, [], True)
    by_the_owner(world.remove_person, len(world.people) - 1)
    by_the_owner(world.make_subuser, "stall", False)
    by_the_owner(world.switch_subuser, True, "UpdateSubuser")
    by_the_owner(world.switch_subuser, True, "UpdateSubuserWebsiteAccess")
    by_the_owner(world.delete_subuser, "stall")
    by_the_owner(world.assign_addresses)
    by_the_owner(world.give_credits, 10)
    by_the_owner(world.give_more_credits, 5)
    for is_added in (True, False):
        by_the_owner(world.lend_domain, 0, "shop", is_added)
    by_the_owner(world.take_domain_back, 0)
    by_the_owner(world.take_all_domains_back)

    given = world.given
    world.teardown()
    # Rights that are not asked for are no part of a profile: that call is refused, which the machine makes sure of.
    assert given == GIVES_RIGHTS - {"UpdateProfile"}


def test_nobody_gives_more_than_he_holds_in_one_step(machine: type[Accounts]) -> None:
    """Everybody who lacks something tries every gift there is, so that chance has nothing to do with it."""
    world = machine()
    world.a_world()
    everything, lacking = list(SCOPES[:-1]), [*world.keys[1:], *world.people]
    limited = {name: each for limit in LIMITS for name, each in limit.items()}
    lifted: dict[str, Any] = {name: [] for limit in LIMITS for name, each in limit.items() if isinstance(each, list)}
    world.invite(0, [], True)
    world.invite(0, ["teammates.read"], False)
    world.accept(1)
    mate = len(world.people) - 1

    for caller in lacking:
        world.make_key(0, "", ["stats.read"], {})
        world.make_key(0, "", everything, limited)
        free, bound = len(world.keys) - 2, len(world.keys) - 1
        world.change_person(0, mate, ["teammates.read"], False)
        world.take_all_domains_back(0)
        world.delete_subuser(0, "stall")

        for gift in (
            lambda who: world.make_key(who, "", everything, {}),
            lambda who: world.make_key(who, "shop", ["mail.send"], {}),
            lambda who: world.make_key_with_all_that_the_caller_has(who, ""),
            lambda who, key=free: world.change_key(who, "", key, everything, {}),
            lambda who, key=bound: world.change_key(who, "", key, everything, lifted),
            lambda who, key=bound: world.change_key(who, "", key, everything, {"expires_in": 2000}),
            lambda who, key=free: world.rotate_key(who, "", key, 864_000),
            lambda who: world.rotate_key(who, "", 1, 864_000),
            lambda who: world.invite(who, [], True),
            lambda who: world.invite(who, ["mail.send"], False),
            lambda who: world.change_person(who, mate, ["teammates.read", "subusers.read"], False),
            lambda who: world.change_person(who, mate, [], True),
            lambda who: world.make_subuser(who, "stall", True),
            lambda who: world.switch_subuser(who, False, "UpdateSubuser"),
            lambda who: world.give_credits(who, 10),
            lambda who: world.lend_domain(who, 0, "shop", True),
        ):
            gift([*world.keys, *world.people].index(caller))
    for caller in lacking:
        # What is too old holds nothing, until it is mailed again.
        world.wait(200)
        world.resend([*world.keys, *world.people].index(caller), 0)
    world.wait(200)
    for invitation in (0, len(world.letters) - 1):
        world.accept(invitation)

    world.teardown()


def test_no_call_grants_more_than_its_caller_held(machine: type[Accounts]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # To find a shorter story of the same fault takes many minutes; forty steps can be read.
            phases=[Phase.reuse, Phase.generate],
        ),
    )
