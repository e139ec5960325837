"""G28: no sequence of edits leaves nobody in, unless one of them was forced with a second factor.

People at some addresses edit one account's list on the real SQLite store, each with a key and only while his key still
opens. What the list then says is compared with a model that knows nothing of how it is compiled.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gatepost.primitives.decision import Deny
from gatepost.primitives.secret import Secret
from gatepost.runtime.control_plane import ControlPlane, open_control_plane
from gatepost.storage.migrate import migrate
from gatepost.system.entropy import SystemEntropy
from gatepost.system.keyring import create_keyring
from gatepost.tenancy.access.grant import Grant
from gatepost.tenancy.access.ip_access import edit
from gatepost.tenancy.access.ip_access.access_list import AccessList, ListMode
from gatepost.tenancy.access.ip_access.edit import Author, EditDenial
from gatepost.tenancy.access.issue import issue_key
from gatepost.tenancy.access.principal import Principal
from gatepost.tenancy.accounts import lifecycle

PEOPLE = tuple(map(ip_address, ("192.0.2.1", "192.0.2.200", "10.1.2.3", "2001:db8::1", "::ffff:192.0.2.1")))
NETWORKS = tuple(
    map(ip_network, ("192.0.2.1/32", "192.0.2.0/25", "192.0.2.128/25", "10.0.0.0/8", "2001:db8::/32", "203.0.113.0/24"))
)


@dataclass
class StillClock:
    instant: datetime = datetime(2026, 3, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.instant


class ListEdits(RuleBasedStateMachine):
    """One account, its people, and what they do to its list."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        folder, entropy = Path(self._folder.name), SystemEntropy()
        migrate(f"sqlite:///{folder}/control.db")
        create_keyring(folder / "keyring", entropy)
        self.plane: ControlPlane = open_control_plane(
            f"sqlite:///{folder}/control.db", folder / "keyring", StillClock(), entropy
        )
        now = self.plane.clock.now()
        self.account = lifecycle.create(self.plane.accounts, "acme", now=now, entropy=entropy)
        _, text = issue_key(
            self.plane.keys,
            account_id=self.account.id,
            name="edits",
            grant=Grant(scopes=frozenset({"mail.send"})),
            hash_secret=self.plane.keyring.hash_secret,
            entropy=entropy,
            now=now,
        )
        self.secret = Secret(text.reveal().encode())
        self.is_forced = False
        self.model: set[object] = set()
        self.mode = ListMode.ENFORCED

    def teardown(self) -> None:
        self.plane.close()
        self._folder.cleanup()

    @initialize()
    def begin(self) -> None:
        assert all(map(self.gets_in, PEOPLE))

    def gets_in(self, person: object) -> bool:
        return isinstance(self.plane.principals.authenticate("apikey", self.secret, person), Principal)  # type: ignore[arg-type]

    def note(self, outcome: AccessList | Deny, *, force: bool) -> None:
        if isinstance(outcome, Deny):
            assert outcome.reason is EditDenial.SHUTS_OUT_AUTHOR
            assert not force
            return
        self.is_forced |= force
        self.model = {each.network for each in outcome.rules}
        self.mode = outcome.mode

    @rule(person=st.sampled_from(PEOPLE), networks=st.lists(st.sampled_from(NETWORKS), min_size=1, max_size=3))
    def add(self, person: object, networks: list) -> None:  # type: ignore[type-arg]
        if self.gets_in(person):
            author = Author(address=person)  # type: ignore[arg-type]
            now = self.plane.clock.now()
            self.note(edit.add_rules(self.plane.ip_access, self.account.id, networks, author, now=now), force=False)

    @rule(person=st.sampled_from(PEOPLE), picks=st.lists(st.integers(0, 5), min_size=1, max_size=3))
    def remove(self, person: object, picks: list[int]) -> None:
        rules = self.plane.ip_access.find(self.account.id).rules
        ids = {rules[pick].id for pick in picks if pick < len(rules)}
        if ids and self.gets_in(person):
            author = Author(address=person)  # type: ignore[arg-type]
            self.note(edit.remove_rules(self.plane.ip_access, self.account.id, ids, author), force=False)

    @rule(person=st.sampled_from(PEOPLE), mode=st.sampled_from(ListMode))
    def switch(self, person: object, mode: ListMode) -> None:
        if self.gets_in(person):
            author = Author(address=person)  # type: ignore[arg-type]
            self.note(edit.set_mode(self.plane.ip_access, self.account.id, mode, author), force=False)

    @rule(network=st.sampled_from(NETWORKS))
    def try_to_force_with_a_key(self, network: object) -> None:
        author = Author(address=PEOPLE[0])
        outcome = edit.add_rules(
            self.plane.ip_access,
            self.account.id,
            [network],
            author,
            now=self.plane.clock.now(),
            force=True,  # type: ignore[list-item]
        )
        assert outcome == Deny(EditDenial.FORCE_NOT_ALLOWED)

    @rule(person=st.sampled_from(PEOPLE), network=st.sampled_from(NETWORKS))
    def force_with_a_second_factor(self, person: object, network: object) -> None:
        if self.gets_in(person):
            author = Author(address=person, may_force=True)  # type: ignore[arg-type]
            now = self.plane.clock.now()
            outcome = edit.add_rules(
                self.plane.ip_access,
                self.account.id,
                [network],  # type: ignore[list-item]
                author,
                now=now,
                force=True,
            )
            self.note(outcome, force=True)

    @precondition(lambda self: self.is_forced)
    @rule()
    def let_them_back_in_by_the_command_line(self) -> None:
        ids = {each.id for each in self.plane.ip_access.find(self.account.id).rules}
        operator = Author(address=None, may_force=True)
        self.note(edit.remove_rules(self.plane.ip_access, self.account.id, ids, operator), force=False)
        self.is_forced = False
        assert all(map(self.gets_in, PEOPLE))

    @invariant()
    def somebody_is_in(self) -> None:
        assert self.is_forced or any(map(self.gets_in, PEOPLE))

    @invariant()
    def who_gets_in_is_who_is_listed(self) -> None:
        for person in PEOPLE:
            plain = getattr(person, "ipv4_mapped", None) or person
            listed = not self.model or self.mode is ListMode.OBSERVED or any(plain in each for each in self.model)  # type: ignore[operator]
            assert self.gets_in(person) is listed


TestListEdits = ListEdits.TestCase
TestListEdits.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
