from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from gatepost.primitives.ids import AccountId
from gatepost.tenancy.audit.entry import Act, Actor, ActorKind, AuditEvent

OPERATOR = Actor(kind=ActorKind.OPERATOR, id="root", origin="/dev/pts/1", credential="uid 0")


@pytest.fixture
def event() -> Callable[..., AuditEvent]:
    """Make an event; keyword arguments replace its parts."""

    def make(account_id: str = "acc_acme", **parts: object) -> AuditEvent:
        usual: dict[str, object] = {
            "at": datetime(2026, 3, 1, 12, 30, 0, 5, tzinfo=UTC),
            "act": Act.KEY_NARROWED,
            "actor": OPERATOR,
            "subject": "key/AAAAAAAAAAAAAAAAAAAAAA",
            "before": {"scopes": ["mail.send", "stats.read"], "expires_at": None},
            "after": {"scopes": ["mail.send"], "expires_at": None},
        }
        return AuditEvent(account_id=AccountId(account_id), **(usual | parts))

    return make
