"""Attempt: somebody with a proved credential came from somewhere, and what the list said."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from gatepost.primitives.ids import AccountId
from gatepost.tenancy.access.ip_access.access_list import Verdict


class AuthMethod(Enum):
    """By what way somebody came, in the dialect's word where it has one."""

    SMTP = "SMTP"
    API = "API"
    WEB = "Web"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """All attempts of one kind: from one address, by one way, with one verdict."""

    account_id: AccountId
    address: str
    method: AuthMethod
    verdict: Verdict
    first_at: datetime
    last_at: datetime
    count: int
