from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from gatepost.storage.schema import Instant, metadata


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_every_table_can_be_made_on_postgresql(table: object) -> None:
    dialect = postgresql.dialect()

    ddl = str(CreateTable(table).compile(dialect=dialect))
    indexes = [str(CreateIndex(index).compile(dialect=dialect)) for index in table.indexes]

    assert ddl.strip().startswith(f"CREATE TABLE {table.name}")
    if table.name == "domains":
        assert indexes == ["CREATE INDEX ix_domains_account_id_name ON domains (account_id, name)"]


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_comes_back_to_the_microsecond(instant: datetime) -> None:
    dialect = sqlite.dialect()

    stored = Instant().process_bind_param(instant, dialect)

    assert Instant().process_result_value(stored, dialect) == instant


def test_an_instant_of_another_zone_comes_back_in_utc() -> None:
    instant, dialect = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=5))), sqlite.dialect()

    back = Instant().process_result_value(Instant().process_bind_param(instant, dialect), dialect)

    assert back == instant
    assert back.tzinfo is UTC


def test_a_naive_instant_is_a_bug() -> None:
    with pytest.raises(TypeError):
        Instant().process_bind_param(datetime(2026, 3, 1), sqlite.dialect())  # noqa: DTZ001


def test_no_instant_is_null() -> None:
    assert Instant().process_bind_param(None, sqlite.dialect()) is None
    assert Instant().process_result_value(None, sqlite.dialect()) is None
