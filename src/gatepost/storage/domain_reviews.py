"""Reviews of domains that look like another's, at rest."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, insert, select, update
from sqlalchemy.exc import IntegrityError

from gatepost.primitives.ids import AccountId
from gatepost.storage.database import Database
from gatepost.storage.schema import domain_reviews
from gatepost.tenancy.senders.review import DomainReview, ReviewState


class SqlReviewStore:
    """Implements ReviewStore."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    def find(self, account_id: AccountId, name: str) -> DomainReview | None:
        """Return what there is about the account's claim to that name."""
        with self._database.reading() as connection:
            row = connection.execute(select(domain_reviews).where(_is(account_id, name))).one_or_none()
        return None if row is None else _review(row)

    def list_held(self) -> Sequence[DomainReview]:
        """Return all that wait for the operator, oldest first."""
        held = select(domain_reviews).where(domain_reviews.c.state == ReviewState.HELD.value)
        order = (domain_reviews.c.held_at, domain_reviews.c.name, domain_reviews.c.account_id)
        with self._database.reading() as connection:
            return [_review(row) for row in connection.execute(held.order_by(*order))]

    def hold(self, review: DomainReview) -> DomainReview:
        """Store one that is HELD, unless there is one already; return the one that stands."""
        statement = insert(domain_reviews).values(
            account_id=review.account_id,
            name=review.name,
            looks_like=review.looks_like,
            state=review.state.value,
            held_at=review.held_at,
            decided_at=review.decided_at,
        )
        try:
            with self._database.writing() as connection:
                connection.execute(statement)
        except IntegrityError:
            present = self.find(review.account_id, review.name)
            if present is None:
                raise
            return present
        return review

    def decide(self, account_id: AccountId, name: str, state: ReviewState, at: datetime) -> bool:
        """Approve or reject; return whether there was a review."""
        statement = update(domain_reviews).where(_is(account_id, name)).values(state=state.value, decided_at=at)
        with self._database.writing() as connection:
            return connection.execute(statement).rowcount == 1


def _is(account_id: AccountId, name: str) -> ColumnElement[bool]:
    return and_(domain_reviews.c.account_id == account_id, domain_reviews.c.name == name)


def _review(row: Row[Any]) -> DomainReview:
    return DomainReview(
        account_id=row.account_id,
        name=row.name,
        looks_like=row.looks_like,
        state=ReviewState(row.state),
        held_at=row.held_at,
        decided_at=row.decided_at,
    )
