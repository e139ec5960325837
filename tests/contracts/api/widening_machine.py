"""Owners, people, invitations, keys, subusers and strangers, who make and change each other in whatever order.

Every call goes through ``ask``, which looks before and after and holds the difference against what the caller had. A
new way to give a right is a rule that calls it with the operation's name, and a name in ``GIVES_RIGHTS``.
"""

import asyncio
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from tests.contracts.api.person import Person, join
from tests.contracts.api.rights import (
    RECIPIENTS,
    SCOPES,
    Holding,
    World,
    assert_charged,
    assert_names_kept,
    assert_states_kept,
    look,
    rights,
)

from gatepost.tenancy.access.scope import CATALOGUE
from gatepost.tenancy.accounts.account import AccountState
from gatepost.tenancy.accounts.teammate import Role
from gatepost.tenancy.senders.domain import AuthenticatedDomain, DomainId, DomainState

GIVES_RIGHTS = {
    *("CreateApiKey", "UpdateApiKeyName", "UpdateApiKey", "RotateApiKey", "DeleteApiKey"),
    *("InviteTeammate", "ResendTeammateInvite", "DeletePendingTeammate", "AcceptInvitation"),
    *("UpdateTeammate", "DeleteTeammate", "UpdateProfile"),
    *("CreateSubuser", "UpdateSubuser", "UpdateSubuserWebsiteAccess", "DeleteSubuser", "UpdateSubuserIps"),
    *("UpdateSubuserCredits", "UpdateSubuserRemainingCredits"),
    *("AssociateAuthenticatedDomainWithUser", "AddAuthenticatedDomainToUser"),
    *("TakeAuthenticatedDomainFromUser", "DisassociateAuthenticatedDomainFromUser"),
}  # fmt: skip
"""By operation: all by which somebody, or something, comes to hold more."""

LIMITS: list[dict[str, Any]] = [
    {"allowed_authors": ["ann@example.com"]},
    {"budget": {"messages_per_hour": 50}},
    {"allowed_networks": ["192.0.2.0/24"]},
    {"allowed_recipient_domains": ["dest.test"]},
    {"expires_in": 40},
]
"""One each for keys that may do everything else."""

MAX_PEOPLE = 9

number = st.integers(0, 1000)
scopes = st.lists(st.sampled_from(SCOPES[:-1]), min_size=1, max_size=4, unique=True)
some = st.lists(st.sampled_from(["192.0.2.0/24", "192.0.2.1/32", "203.0.113.0/24", "2001:db8::/32"]), max_size=2)
limits = st.fixed_dictionaries(
    {},
    optional={
        "allowed_networks": some,
        "allowed_authors": st.lists(st.sampled_from(["example.com", "ann@example.com", "example.net"]), max_size=2),
        "allowed_recipient_domains": st.lists(st.sampled_from(RECIPIENTS), max_size=2),
        "expires_in": st.sampled_from([1, 30, 2000]),
        "budget": st.dictionaries(
            st.sampled_from(["messages_per_hour", "new_recipients_per_day"]), st.sampled_from([0, 10, 100]), max_size=2
        ),
    },
)
on_behalf = st.sampled_from(["", "", "shop"])


class Accounts(RuleBasedStateMachine):
    """A parent with subusers, and a stranger; ``open_api`` is set by the test."""

    open_api: Any

    def __init__(self) -> None:
        super().__init__()
        self.opened = self.open_api()
        self.api = self.opened.__enter__()
        self.runner = asyncio.Runner()
        self.app = self.api.built
        self.operations = {each.name: each for each in self.api.operations()}
        self.began_at = self.api.clock.now()
        self.keys: list[str] = []
        self.people: list[Person] = []
        self.proved: dict[str, Any] = {}
        self.letters: list[tuple[str, str]] = []
        self.given: set[str] = set()

    def teardown(self) -> None:
        self.runner.close()
        self.api.hasher.close()
        self.opened.__exit__(None, None, None)

    @initialize()
    def a_world(self) -> None:
        api, self.acme = self.api, self.api.account("acme")
        self.shop, self.stranger = api.account("shop", self.acme), api.account("stranger")
        self.domains = [self.make_domain(name) for name in ("example.com", "example.net")]
        manage = SCOPES[:12]
        self.keys = [
            api.key(self.acme, *CATALOGUE),
            api.key(self.acme, *SCOPES[:-1]),
            api.key(self.acme, *manage),
            api.key(self.shop, *SCOPES[:-1]),
            api.key(self.stranger, *CATALOGUE),
        ]
        for limit in LIMITS:
            body = {"name": "limited", "scopes": list(SCOPES[:-1]), **self.written(limit)}
            self.ask(self.keys[1], "CreateApiKey", body)
        for account, name, role, *held in (
            (self.acme, "owner", Role.OWNER), (self.acme, "admin", Role.ADMIN),
            (self.acme, "clerk", Role.SCOPED, *manage), (self.shop, "keeper", Role.OWNER),
        ):  # fmt: skip
            self.people.append(self.runner.run(join(api, account, name, role, *held)))
            self.proved[name] = api.clock.now()

    def make_domain(self, name: str) -> DomainId:
        claim = AuthenticatedDomain(
            name=name, account_id=self.acme, state=DomainState.PENDING, dkim_keys=(), created_at=self.began_at
        )
        made = self.api.control.domains.add(claim)
        self.api.control.domains.mark_verified(self.acme, made, self.began_at)
        return DomainId(made)

    # ------------------------------------------------------------ keys

    @rule(caller=number, on_behalf=on_behalf, scopes=scopes, limits=limits)
    def make_key(self, caller: int, on_behalf: str, scopes: list[str], limits: dict[str, Any]) -> None:
        body = {"name": "x", "scopes": scopes, **self.written(limits)}
        self.ask(self.caller(caller), "CreateApiKey", body, on_behalf=on_behalf)

    @rule(caller=number, on_behalf=on_behalf)
    def make_key_with_all_that_the_caller_has(self, caller: int, on_behalf: str) -> None:
        self.ask(self.caller(caller), "CreateApiKey", {"name": "x"}, on_behalf=on_behalf)

    @rule(caller=number, on_behalf=on_behalf, key=number, scopes=scopes, limits=limits)
    def change_key(self, caller: int, on_behalf: str, key: int, scopes: list[str], limits: dict[str, Any]) -> None:
        body = {"name": "y", "scopes": scopes, **self.written(limits)}
        self.ask(self.caller(caller), "UpdateApiKey", body, on_behalf=on_behalf, api_key_id=self.key_id(key))

    @rule(caller=number, on_behalf=on_behalf, key=number)
    def rename_key(self, caller: int, on_behalf: str, key: int) -> None:
        path = {"api_key_id": self.key_id(key)}
        self.ask(self.caller(caller), "UpdateApiKeyName", {"name": "z"}, on_behalf=on_behalf, **path)

    @rule(caller=number, on_behalf=on_behalf, key=number, overlap=st.sampled_from([0, 3600, 864_000]))
    def rotate_key(self, caller: int, on_behalf: str, key: int, overlap: int) -> None:
        path = {"api_key_id": self.key_id(key)}
        self.ask(self.caller(caller), "RotateApiKey", {"overlap_seconds": overlap}, on_behalf=on_behalf, **path)

    @rule(caller=number, on_behalf=on_behalf, key=number)
    def revoke_key(self, caller: int, on_behalf: str, key: int) -> None:
        if key % len(self.keys) > 4:
            self.ask(self.caller(caller), "DeleteApiKey", on_behalf=on_behalf, api_key_id=self.key_id(key))

    # ------------------------------------------------------------ people

    @rule(caller=number, scopes=scopes, is_admin=st.booleans())
    def invite(self, caller: int, scopes: list[str], is_admin: bool) -> None:
        email = f"p{len(self.letters)}@x.example"
        body = {"email": email, "scopes": [] if is_admin else scopes, "is_admin": is_admin}
        self.ask(self.caller(caller), "InviteTeammate", body)

    @rule(caller=number, invitation=number)
    def resend(self, caller: int, invitation: int) -> None:
        if self.letters:
            self.ask(self.caller(caller), "ResendTeammateInvite", token=self.letter(invitation)[0])

    @rule(caller=number, invitation=number)
    def withdraw(self, caller: int, invitation: int) -> None:
        if self.letters:
            self.ask(self.caller(caller), "DeletePendingTeammate", token=self.letter(invitation)[0])

    @rule(invitation=number)
    def accept(self, invitation: int) -> None:
        """Whoever has the letter; what he comes to hold, the invitation held, once."""
        if not self.letters or len(self.people) >= MAX_PEOPLE:
            return
        named, token = self.letter(invitation)
        person = Person(self.api, f"mate-{len(self.people)}")
        body = {"token": token, "username": person.username, "password": person.password}
        before = self.world()
        reply = self.ask("", "AcceptInvitation", body, holding=before.holdings.get(named))
        if reply.status == 201:
            assert named in before.holdings, "it was withdrawn, used, or too old"
            assert named not in self.world().holdings
            person.keep(reply)
            self.runner.run(person.enrol())
            self.people.append(person)
            self.proved[person.username] = self.api.clock.now()

    @rule(caller=number, whom=number, scopes=scopes, is_admin=st.booleans())
    def change_person(self, caller: int, whom: int, scopes: list[str], is_admin: bool) -> None:
        body = {"scopes": [] if is_admin else scopes, "is_admin": is_admin}
        self.ask(self.caller(caller), "UpdateTeammate", body, username=self.person(whom).username)

    @rule(caller=number, whom=number)
    def remove_person(self, caller: int, whom: int) -> None:
        if whom % len(self.people) > 3:
            self.ask(self.caller(caller), "DeleteTeammate", username=self.person(whom).username)

    @rule(caller=number, scopes=scopes)
    def change_oneself(self, caller: int, scopes: list[str]) -> None:
        """Rights beside the names, for a reader that takes more than it shows."""
        body = {"city": "Here", "scopes": scopes, "is_admin": True, "user_type": "owner", "role": "owner"}
        self.ask(self.person(caller), "UpdateProfile", body)

    # ------------------------------------------------------------ subusers

    @rule(caller=number, name=st.sampled_from(["shop", "stall", "cart"]), has_owner=st.booleans())
    def make_subuser(self, caller: int, name: str, has_owner: bool) -> None:
        body = {"username": name, "email": f"{name}@x.example"}
        self.ask(self.caller(caller), "CreateSubuser", body | ({"password": "tin-lantern-oboe"} if has_owner else {}))

    @rule(caller=number, is_off=st.booleans(), what=st.sampled_from(["UpdateSubuser", "UpdateSubuserWebsiteAccess"]))
    def switch_subuser(self, caller: int, is_off: bool, what: str) -> None:
        self.ask(self.caller(caller), what, {"disabled": is_off}, subuser_name="shop")

    @rule(caller=number, name=st.sampled_from(["stall", "cart"]))
    def delete_subuser(self, caller: int, name: str) -> None:
        self.ask(self.caller(caller), "DeleteSubuser", subuser_name=name)

    @rule(caller=number)
    def assign_addresses(self, caller: int) -> None:
        self.ask(self.caller(caller), "UpdateSubuserIps", ["198.51.100.7"], subuser_name="shop")

    @rule(caller=number, total=st.sampled_from([1, 1000]))
    def give_credits(self, caller: int, total: int) -> None:
        body = {"type": "nonrecurring", "total": total}
        self.ask(self.caller(caller), "UpdateSubuserCredits", body, subuser_name="shop")

    @rule(caller=number, more=st.sampled_from([5, -1]))
    def give_more_credits(self, caller: int, more: int) -> None:
        self.ask(self.caller(caller), "UpdateSubuserRemainingCredits", {"allocation_update": more}, subuser_name="shop")

    @rule(caller=number, domain=number, name=st.sampled_from(["shop", "stall"]), is_added=st.booleans())
    def lend_domain(self, caller: int, domain: int, name: str, is_added: bool) -> None:
        operation = "AddAuthenticatedDomainToUser" if is_added else "AssociateAuthenticatedDomainWithUser"
        self.ask(self.caller(caller), operation, {"username": name}, id=self.domains[domain % 2])

    @rule(caller=number, domain=number)
    def take_domain_back(self, caller: int, domain: int) -> None:
        path = {"id": self.domains[domain % 2]}
        self.ask(self.caller(caller), "TakeAuthenticatedDomainFromUser", query="?username=shop", **path)

    @rule(caller=number)
    def take_all_domains_back(self, caller: int) -> None:
        self.ask(self.caller(caller), "DisassociateAuthenticatedDomainFromUser", query="?username=shop")

    # ------------------------------------------------------------ the world

    @rule(hours=st.sampled_from([1, 30, 200]))
    def wait(self, hours: int) -> None:
        self.api.clock.instant += timedelta(hours=hours)

    @rule(is_parent=st.booleans(), state=st.sampled_from([AccountState.ACTIVE, AccountState.SUSPENDED]))
    def the_operator_moves_an_account(self, is_parent: bool, state: AccountState) -> None:
        account = self.acme if is_parent else self.shop
        self.api.control.accounts.change_state(account, to=state, only_from=[*AccountState])

    # ------------------------------------------------------------ the check

    def ask(
        self, caller: Any, name: str, body: Any = None, *, query: str = "", on_behalf: str = "",
        holding: Holding | None = None, **path: Any,
    ) -> Any:  # fmt: skip
        """Make a call, and hold what came of it against what there was before."""
        assert name in GIVES_RIGHTS
        operation = self.operations[name]
        token = self.token_of(caller)
        before = self.world()
        letters = len(self.api.mailbox.letters)
        reply = self.runner.run(
            self.api.ask(
                operation.method, operation.path.format(**path) + query, body, key=token, app=self.app,
                headers={"on-behalf-of": on_behalf} if on_behalf else {},
            )
        )  # fmt: skip
        after = self.world()
        assert reply.status in {200, 201, 204, 400, 401, 403, 404, 429}, (name, reply)
        if reply.status >= 400:
            assert after == before, name
            return reply
        self.given.add(name)
        if name in {"CreateApiKey", "RotateApiKey"}:
            self.keys.append(reply.json["api_key"])
        if len(self.api.mailbox.letters) > letters:
            self.letters.append((reply.json["token"], self.api.mailbox.token()))
        self.compare(before, after, holding or before.holdings[self.holder_id(caller)], name, path)
        return reply

    def compare(self, before: World, after: World, caller: Holding, name: str, path: dict[str, Any]) -> None:
        now = self.api.clock.now()
        limits = {"began_at": self.began_at, "now": now}
        may = rights(after, caller, **limits)
        needed = None if name == "UpdateProfile" else self.operations[name].scope
        assert needed is None or needed in caller.grant.scopes, (name, caller)
        for holder, holds in after.holdings.items():
            had = before.holdings.get(holder)
            if holds == had and after.accounts.keys() == before.accounts.keys():
                continue
            # What is in accounts that are new, a holder had before as far as he reaches them: it is not a gift.
            gained = rights(after, holds, **limits) - rights(after, had, **limits)
            assert gained <= may, (name, path, holds, sorted(map(str, gained - may))[:3])
            assert not holds.is_owner or (had is not None and had.is_owner) or holds.account not in before.accounts
            if had is None and name == "RotateApiKey":
                old = before.holdings[path["api_key_id"]]
                assert gained <= rights(after, old, **limits)
                assert_charged(holds.grant, old.grant.purses)
            if gained:
                assert_charged(holds.grant, caller.grant.purses)
            if had:
                assert_charged(holds.grant, had.grant.purses)
        acting = None if name == "AcceptInvitation" else caller
        assert_states_kept(before, after, acting)
        assert_names_kept(before, after, acting)

    def world(self) -> World:
        return look(self.api.control, [self.acme, self.stranger], self.api.clock.now())

    def caller(self, place: int) -> Any:
        everybody = [*self.keys, *self.people]
        return everybody[place % len(everybody)]

    def token_of(self, caller: Any) -> str:
        """What he shows; a person has shown his factor just now, if he still can."""
        if not isinstance(caller, Person):
            return str(caller)
        if self.api.clock.now() - self.proved[caller.username] > timedelta(minutes=5) or self.is_signed_out(caller):
            self.runner.run(caller.sign_in())
            self.proved[caller.username] = self.api.clock.now()
        return caller.token

    def is_signed_out(self, person: Person) -> bool:
        return bool(self.runner.run(person.ask("GET", "/v3/sessions")).status == 401)

    def holder_id(self, caller: Any) -> str:
        if not isinstance(caller, Person):
            return str(caller).split(".")[1]
        found = [
            each.id
            for account in self.world().accounts
            if (each := self.api.control.people_stores.teammates.find_by_username(account, caller.username))
        ]
        return str(found[0])

    def person(self, place: int) -> Person:
        return self.people[place % len(self.people)]

    def letter(self, place: int) -> tuple[str, str]:
        return self.letters[place % len(self.letters)]

    def key_id(self, place: int) -> str:
        return self.keys[place % len(self.keys)].split(".")[1]

    def written(self, limits: dict[str, Any]) -> dict[str, Any]:
        body = dict(limits)
        if (days := body.pop("expires_in", None)) is not None:
            body["expires_at"] = (self.began_at + timedelta(days=days)).isoformat()
        return body
