"""Principal: the authenticated party for which a session or request acts."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from ipaddress import IPv4Network, IPv6Network

from gatepost.primitives.ids import AccountId, KeyId
from gatepost.tenancy.access.budget import Purse
from gatepost.tenancy.access.ip_access.access_list import EVERYWHERE, AccessList
from gatepost.tenancy.accounts.account import AccountState, Monitor
from gatepost.tenancy.accounts.sending_limits import UNLIMITED, SendingLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An API key together with its account, as they stood when looked up.

    Attributes:
        account_state: What counts for the account: the worst of its own and its parent's.
        is_metered: Whether the account's credits, or its parent's, are limited.
        scopes: What the key grants, by the names of the scope catalogue.
        allowed_networks: Where the key may be used from; empty means anywhere.
        allowed_authors: Addresses (``news@example.com``) or domains (``example.com``, exactly that one) to which
            the key's author is further restricted; empty means whatever the account may use.
        allowed_recipient_domains: Domains (exactly that one) to which the key may write; empty means anybody.
        expires_at: From this instant on the key is as good as revoked.
        purses: What is charged for what the key sends; empty for a key without budgets.
        is_honey: The key is a trap: its use raises an alarm, and nothing may come of it.
        monitor: Where some of the account's mail is copied to, by its parent's wish.
        access_list: From where the key's account may be reached.
        limits: What the operator has set for the account.
    """

    account_id: AccountId
    account_state: AccountState
    key_id: KeyId
    scopes: frozenset[str]
    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    allowed_authors: tuple[str, ...] = ()
    allowed_recipient_domains: tuple[str, ...] = ()
    expires_at: datetime | None = None
    purses: tuple[Purse, ...] = ()
    is_honey: bool = False
    is_metered: bool = False
    monitor: Monitor | None = None
    access_list: AccessList = EVERYWHERE
    limits: SendingLimits = UNLIMITED


class AccessDenial(Enum):
    """Why a credential or a right was refused. Peers are told no more than ``reply_texts`` lets them know."""

    #: The user name is not ``apikey``, or the password has not the shape of a key.
    BAD_CREDENTIAL = "bad credential"
    #: The shape is right, but the key is unknown, revoked or expired, or its secret is wrong.
    KEY_NOT_VALID = "key not valid"
    #: An account name was given as the user name: passwords never work here.
    PASSWORD_NOT_TAKEN = "password not taken"  # noqa: S105 - a reason, not a password
    #: The account's list of addresses does not let anybody in from there.
    ADDRESS_NOT_LISTED = "address not listed"
    #: The key itself may not be used from there.
    NETWORK_NOT_ALLOWED = "network not allowed"
    SCOPE_MISSING = "scope missing"
    ACCOUNT_NOT_ACTIVE = "account not active"
    ACCOUNT_UNDER_REVIEW = "account under review"
    #: The account, or its parent, has sent as much as it may in this period.
    CREDITS_EXCEEDED = "credits exceeded"
    TOO_MANY_ATTEMPTS = "too many attempts"
