from datetime import UTC, datetime
from ipaddress import ip_address

from gatepost.entrypoints.api.callers import CurrentCallers
from gatepost.primitives.ids import AccountId, KeyId, SessionId, TeammateId
from gatepost.tenancy.access.people import Need
from gatepost.tenancy.access.person import Person
from gatepost.tenancy.access.principal import Principal
from gatepost.tenancy.accounts.account import AccountState
from gatepost.tenancy.accounts.console_session import Session
from gatepost.tenancy.accounts.teammate import Role, Teammate

PEER = ip_address("192.0.2.1")
NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Noting:
    def __init__(self):
        self.asked = []

    def recheck(self, *given, **named):
        self.asked.append((given, named))
        return given[0]


def test_each_kind_of_caller_is_asked_for_where_it_is_known():
    keys, people = Noting(), Noting()
    key = Principal(
        account_id=AccountId("acc_1"), account_state=AccountState.ACTIVE, key_id=KeyId("k"), scopes=frozenset()
    )
    teammate = Teammate(
        id=TeammateId("per_1"), account_id=AccountId("acc_1"), email="a@x.example", username="ann", role=Role.ADMIN,
        created_at=NOW,
    )  # fmt: skip
    session = Session(
        id=SessionId("ses_1"), account_id=AccountId("acc_1"), teammate_id=teammate.id, opened_at=NOW,
        opened_by="password", expires_at=NOW, last_seen_at=NOW,
    )  # fmt: skip
    person = Person(
        teammate=teammate, account_state=AccountState.ACTIVE, session=session, step=None, token_hash=b"secret"
    )
    callers = CurrentCallers(keys, people)

    assert callers.recheck(key, PEER, scope="a.read") is key
    assert callers.recheck(person, PEER, scope="a.read") is person
    assert keys.asked == [((key, PEER), {"scope": "a.read"})]
    assert people.asked == [((person, PEER, Need(scope="a.read")), {})]
    assert "secret" not in repr(person)
