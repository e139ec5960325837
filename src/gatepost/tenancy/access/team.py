"""Who may invite, change and remove whom: never so that anybody gets what the one who gives it does not hold."""

from typing import Final

from gatepost.primitives.decision import ALLOW, Decision, Deny
from gatepost.tenancy.access.grant import Grant, Widening, narrow
from gatepost.tenancy.access.person import Caller, Person, scopes_of
from gatepost.tenancy.access.principal import AccessDenial
from gatepost.tenancy.access.scope import CATALOGUE
from gatepost.tenancy.accounts.teammate import Role, Teammate

_OF_ADMINS: Final = frozenset({"teammates.update"})


def decide_grant(caller: Caller, role: Role, scopes: frozenset[str]) -> Decision:
    """Decide whether a caller may give these rights to a person.

    A person has no limits of networks, authors, recipients, time or budget, so a key that has any gives nothing to
    people.
    """
    if role is Role.OWNER:
        return Deny(AccessDenial.SCOPE_MISSING)
    wanted = CATALOGUE if role is Role.ADMIN else scopes
    if role is Role.ADMIN and isinstance(caller, Person) and caller.teammate.role is Role.SCOPED:
        return Deny(Widening.SCOPES, "admin")
    allowed = narrow(grant_of(caller), Grant(scopes=wanted))
    return allowed if isinstance(allowed, Deny) else ALLOW


def decide_change(caller: Caller, target: Teammate, role: Role, scopes: frozenset[str]) -> Decision:
    """Decide whether a caller may give a person these rights in the place of his own: admins, never to themselves."""
    if isinstance(caller, Person) and caller.teammate.role is Role.SCOPED:
        return Deny(AccessDenial.SCOPE_MISSING)
    return decide_removal(caller, target) and decide_grant(caller, role, scopes)


def decide_removal(caller: Caller, target: Teammate) -> Decision:
    """Decide whether a caller may take a person's rights: not the owner's, not his own, nor more than he holds."""
    if target.role is Role.OWNER or (isinstance(caller, Person) and caller.teammate.id == target.id):
        return Deny(AccessDenial.SCOPE_MISSING)
    if target.role is Role.ADMIN:
        return decide_grant(caller, Role.ADMIN, frozenset())
    allowed = narrow(grant_of(caller), Grant(scopes=scopes_of(target) - _OF_ADMINS))
    return allowed if isinstance(allowed, Deny) else ALLOW


def grant_of(caller: Caller) -> Grant:
    """Return what a caller holds, in the form that can be narrowed.

    All purses are charged alike, so that none of them is its own here. A person who is no admin cannot change people,
    whatever his scopes say (``decide_change``), and so has no such scope to hand to a key that could.
    """
    is_scoped = isinstance(caller, Person) and caller.teammate.role is Role.SCOPED
    return Grant(
        scopes=caller.scopes - _OF_ADMINS if is_scoped else caller.scopes,
        allowed_networks=caller.allowed_networks,
        allowed_authors=caller.allowed_authors,
        allowed_recipient_domains=caller.allowed_recipient_domains,
        expires_at=caller.expires_at,
        charges=caller.purses,
    )
