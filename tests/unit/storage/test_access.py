import pytest
from sqlalchemy.dialects import postgresql

from gatepost.primitives.ids import AccountId, KeyId
from gatepost.storage import access


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (access._SECRET_HASH, "coalesce((SELECT api_keys.secret_hash"),
        (access._RECORD_USE, "WHERE api_keys.account_id = %(account)s::VARCHAR AND api_keys.id = %(key)s::VARCHAR"),
        (access._update(AccountId("a"), KeyId("k")).values(name="n"), "UPDATE api_keys SET name="),
    ],
    ids=["secret hash", "record use", "update"],
)
def test_statements_can_be_said_to_postgresql(statement: object, expected: str) -> None:
    said = " ".join(str(statement.compile(dialect=postgresql.dialect())).split())

    assert expected in said
