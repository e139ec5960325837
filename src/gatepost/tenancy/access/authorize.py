"""Whether a principal may do a thing, from there, now. Pure; the first reason wins."""

from datetime import datetime

from gatepost.primitives.decision import ALLOW, Decision, Deny
from gatepost.tenancy.access import ip_allowlist
from gatepost.tenancy.access.ip_access.access_list import Verdict
from gatepost.tenancy.access.ip_allowlist import Address
from gatepost.tenancy.access.principal import AccessDenial, Principal
from gatepost.tenancy.access.scope import MAIL_SEND
from gatepost.tenancy.accounts.account import AccountState
from gatepost.tenancy.accounts.state_effects import EFFECTS, Entry, Sending


def authorize(principal: Principal, *, scope: str | None, peer: Address, now: datetime) -> Decision:
    """Decide. ``principal`` must be as of now (``Principals.recheck``), and its secret already verified.

    A ``scope`` of None asks for no right in particular: what any valid key may do.
    """
    if principal.expires_at is not None and now >= principal.expires_at:
        return Deny(AccessDenial.KEY_NOT_VALID)
    if principal.access_list.judge(peer) is Verdict.REFUSED:
        return Deny(AccessDenial.ADDRESS_NOT_LISTED)
    if principal.allowed_networks and not ip_allowlist.permits(principal.allowed_networks, peer):
        return Deny(AccessDenial.NETWORK_NOT_ALLOWED)
    if scope is not None and scope not in principal.scopes:
        return Deny(AccessDenial.SCOPE_MISSING)
    return decide_by_state(principal.account_state, scope)


def decide_by_state(state: AccountState, scope: str | None) -> Decision:
    """Decide what keys of an account in that state may do."""
    effects = EFFECTS[state]
    if effects.keys is not Entry.ALL:
        return Deny(AccessDenial.ACCOUNT_NOT_ACTIVE)
    if scope == MAIL_SEND and effects.sending is not Sending.TAKEN:
        return Deny(AccessDenial.ACCOUNT_UNDER_REVIEW)
    return ALLOW
