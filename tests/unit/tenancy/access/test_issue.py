from datetime import UTC, datetime

from gatepost.primitives.ids import AccountId
from gatepost.system.entropy import SystemEntropy
from gatepost.tenancy.access import api_key
from gatepost.tenancy.access.grant import Grant
from gatepost.tenancy.access.issue import issue_key


class Store:
    """Remembers what was added."""

    def __init__(self, is_full=False):
        self.is_full = is_full

    def add(self, key, secret_hash, *, at_most):
        self.added = (key, secret_hash)
        return not (self.is_full and at_most)


def test_the_hash_of_the_secret_is_stored_and_the_whole_key_shown():
    store = Store()

    made, shown = issue_key(
        store,
        account_id=AccountId("acc_1"),
        name="app",
        grant=Grant(scopes=frozenset({"mail.send"})),
        hash_secret=lambda secret: b"hash of " + secret,
        entropy=SystemEntropy(),
        now=datetime(2027, 1, 1, tzinfo=UTC),
    )

    key_id, secret = api_key.parse(shown.reveal().encode())
    assert store.added == (made, b"hash of " + secret.reveal())
    assert key_id == made.id


def test_an_account_with_all_the_keys_it_may_have_gets_none():
    issued = issue_key(
        Store(is_full=True),
        account_id=AccountId("acc_1"),
        name="app",
        grant=Grant(scopes=frozenset({"mail.send"})),
        hash_secret=lambda secret: secret,
        entropy=SystemEntropy(),
        now=datetime(2027, 1, 1, tzinfo=UTC),
        at_most=100,
    )

    assert issued is None
