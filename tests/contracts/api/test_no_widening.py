"""No widening (architecture, promise 6): whatever calls are made, in whatever order, nobody gains a right that neither
he nor the key he changes had before.

What a grant permits is counted out here over a small world of scopes, addresses, authors, recipients and times, without
the code that decides. Each way to make or change a key is a rule; a new way is a new rule that calls ``self.act``.
"""

import asyncio
from datetime import timedelta
from ipaddress import ip_address
from itertools import product

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from gatepost.primitives.ids import KeyId

MANAGE = [f"api_keys.{verb}" for verb in ("create", "read", "update", "delete")]
SCOPES = [*MANAGE, "mail.send", "stats.read"]
PEERS = [ip_address(text) for text in ("192.0.2.1", "192.0.2.200", "203.0.113.1", "2001:db8::1")]
AUTHORS = ["ann@example.com", "bob@example.com", "ann@example.net"]
RECIPIENTS = ["dest.test", "other.test"]
AFTER = [timedelta(hours=12), timedelta(days=2), timedelta(days=60), timedelta(days=3000)]

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
scopes = st.lists(st.sampled_from(SCOPES), min_size=1, unique=True)
number = st.integers(0, 1000)


class KeysOfOneAccount(RuleBasedStateMachine):
    """Keys make and change keys; ``open_api`` is set by the test."""

    def __init__(self):
        super().__init__()
        self.opened = self.open_api()
        self.api = self.opened.__enter__()
        self.runner = asyncio.Runner()
        self.app = self.api.build()
        self.account = self.api.account("acme")
        self.began_at = self.api.clock.now()
        self.texts = []

    def teardown(self):
        self.runner.close()
        self.opened.__exit__(None, None, None)

    @initialize()
    def an_owner_makes_two_managers(self):
        self.texts = [self.api.key(self.account, *SCOPES)]
        wanted = {
            "scopes": [*MANAGE, "mail.send"],
            "allowed_authors": ["example.com"],
            "budget": {"messages_per_hour": 50},
        }
        self.act(0, "POST", "/v3/api_keys", {"name": "limited", **wanted})
        self.act(
            0, "POST", "/v3/api_keys", {"name": "narrow", "scopes": MANAGE, "allowed_recipient_domains": ["dest.test"]}
        )
        assert len(self.texts) == 3

    @rule(caller=number, scopes=scopes, limits=limits)
    def create(self, caller, scopes, limits):
        self.act(caller, "POST", "/v3/api_keys", {"name": "x", "scopes": scopes, **self.written(limits)})

    @rule(caller=number)
    def create_with_all_that_the_caller_has(self, caller):
        self.act(caller, "POST", "/v3/api_keys", {"name": "x"})

    @rule(caller=number, changed=number, scopes=scopes, limits=limits)
    def change(self, caller, changed, scopes, limits):
        body = {"name": "y", "scopes": scopes, **self.written(limits)}
        self.act(caller, "PUT", f"/v3/api_keys/{self.id_of(changed)}", body)

    @rule(caller=number, changed=number)
    def rename(self, caller, changed):
        self.act(caller, "PATCH", f"/v3/api_keys/{self.id_of(changed)}", {"name": "z"})

    @rule(caller=number, changed=number, overlap=st.sampled_from([0, 3600, 864_000]))
    def rotate(self, caller, changed, overlap):
        path = f"/v3/api_keys/{self.id_of(changed)}/rotate"
        self.act(caller, "POST", path, {"overlap_seconds": overlap}, copies=self.id_of(changed))

    @rule(caller=number, changed=number)
    def revoke(self, caller, changed):
        if changed % len(self.texts):
            self.act(caller, "DELETE", f"/v3/api_keys/{self.id_of(changed)}")

    @rule(hours=st.sampled_from([1, 30]))
    def wait(self, hours):
        self.api.clock.instant += timedelta(hours=hours)

    # ------------------------------------------------------------ the model

    def act(self, caller, method, path, body=None, *, copies=None):
        """Make a call, and hold what came of it against what there was before."""
        text = self.texts[caller % len(self.texts)]
        caller_id = KeyId(text.split(".")[1])
        before = self.grants()
        reply = self.runner.run(self.api.ask(method, path, body, key=text, app=self.app))
        assert reply.status in {200, 201, 204, 400, 401, 403, 404}, reply
        after = self.grants()
        if reply.status >= 400:
            assert after == before
            return
        holder = before[caller_id]
        if reply.status == 201:
            self.texts.append(reply.json["api_key"])
        for key_id, grant in after.items():
            was = before.get(key_id)
            if was == grant:
                continue
            had = self.permitted(was) if was else set()
            gained = self.permitted(grant) - had
            assert gained <= self.permitted(holder), (method, path, body)
            if was is None and copies:
                assert gained <= self.permitted(before[copies])
                self.must_charge(grant, before[copies].purses)
            if gained:
                self.must_charge(grant, holder.purses)
            if was:
                self.must_charge(grant, was.purses)

    def must_charge(self, grant, purses):
        charged = {purse.id: dict(purse.budget.limits()) for purse in grant.purses}
        for purse in purses:
            for measure, limit in purse.budget.limits():
                assert charged[purse.id][measure] <= limit

    def grants(self):
        return {key.id: key.grant for key in self.api.control.keys.list_all(self.account) if key.revoked_at is None}

    def permitted(self, grant):
        """Every single thing that a grant permits, in this small world, from now on."""
        now = self.api.clock.now()
        peers = [each for each in PEERS if not grant.allowed_networks or any(each in n for n in grant.allowed_networks)]
        authors = [
            each
            for each in AUTHORS
            if not grant.allowed_authors or each in grant.allowed_authors or each.split("@")[1] in grant.allowed_authors
        ]
        domains = [each for each in RECIPIENTS if each in (grant.allowed_recipient_domains or RECIPIENTS)]
        times = [self.began_at + after for after in AFTER]
        left = [each for each in times if each > now and (grant.expires_at is None or each < grant.expires_at)]
        return set(product(grant.scopes, peers, authors, domains, left))

    def id_of(self, place):
        return KeyId(self.texts[place % len(self.texts)].split(".")[1])

    def written(self, limits):
        body = dict(limits)
        if (days := body.pop("expires_in", None)) is not None:
            body["expires_at"] = (self.began_at + timedelta(days=days)).isoformat()
        return body


def test_no_call_grants_more_than_its_caller_and_its_target_held(open_api):
    class Machine(KeysOfOneAccount):
        pass

    Machine.open_api = staticmethod(open_api)
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=12,
            stateful_step_count=14,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
