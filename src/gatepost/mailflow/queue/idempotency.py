"""Requests that were carried out once and are not to be carried out again (draft-ietf-httpapi-idempotency-key-header).

The record is written in the transaction that takes the request's messages: there is no crash between the two.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gatepost.primitives.ids import AccountId, KeyId, MessageId

REMEMBERED_FOR: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """A request that was carried out.

    Attributes:
        token: What its sender named it by, unique among the requests made with its API key.
        fingerprint: SHA-256 of its body.
        message_id: What its sender was told.
    """

    account_id: AccountId
    key_id: KeyId
    token: str
    fingerprint: bytes
    message_id: MessageId
    at: datetime
