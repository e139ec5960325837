from datetime import UTC, datetime

from gatepost.primitives.ids import AccountId
from gatepost.system.entropy import SystemEntropy
from gatepost.tenancy.access import api_key
from gatepost.tenancy.access.grant import Grant
from gatepost.tenancy.access.issue import issue_key


class Store:
    """Remembers what was added."""

    def add(self, key, secret_hash):
        self.added = (key, secret_hash)


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
