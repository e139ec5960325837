"""Security notices: which acts people are told of by mail, whom, and in what words. One table; pure.

A notice holds no secret, no link, and nothing that somebody else has typed: whoever causes one must not be able to
write to the person in our name. What to do stands in each, since it is read by somebody who did not expect it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from gatepost.tenancy.accounts.two_factor import FactorKind
from gatepost.tenancy.audit.entry import Act, ActorKind, AuditEvent


class Reader(Enum):
    """Who is told."""

    #: Whom the act was done to.
    PERSON = auto()
    #: Whoever did it, if it was one of the account's people.
    ACTOR = auto()
    #: The account's owner; where a subuser has none, its parent's.
    OWNER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is told of one act.

    Attributes:
        name: Of the kind, for limits and metrics.
        what: What happened: one sentence.
        advice: What to do, if there is anything to do.
    """

    name: str
    readers: frozenset[Reader]
    what: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    readers: frozenset[Reader]
    what: str | Callable[[AuditEvent], str]
    advice: str
    applies: Callable[[AuditEvent], bool] = lambda _: True
    name: str = ""


def find_notice(event: AuditEvent) -> Notice | None:
    """Return what people are told of an act; None for most."""
    rule = _RULES.get(event.act)
    # What a parent does to a subuser stands in both chains; the subuser's people are told, or the parent's for them.
    if rule is None or event.actor.account == event.account_id or not rule.applies(event):
        return None
    what = rule.what if isinstance(rule.what, str) else rule.what(event)
    return Notice(name=rule.name or event.act.value, readers=rule.readers, what=what, advice=rule.advice)


def _after(event: AuditEvent, name: str) -> str:
    value = (event.after or {}).get(name)
    return value if isinstance(value, str) else ""


def _factor(event: AuditEvent) -> str:
    """Name the factor that was added or removed; a passkey's id tells nobody anything."""
    factor = _after(event, "factor") or str((event.before or {}).get("factor", ""))
    return "an authenticator application" if factor == FactorKind.TOTP.value else "a passkey"


def _is_by_recovery_code(event: AuditEvent) -> bool:
    return event.actor.credential.endswith(FactorKind.RECOVERY_CODE.value)


def _codes_left(event: AuditEvent) -> str:
    left = _after(event, "recovery_codes_left")
    how = "to sign in" if event.act is Act.SIGNED_IN else "as your second factor"
    rest = "It was the last one: make new ones." if left == "0" else f"{left} are left."
    return f"One of your recovery codes was used {how}. {rest}"


def _key(event: AuditEvent) -> str:
    return event.subject.removeprefix("key/")


def _access_list(event: AuditEvent) -> str:
    before, after = ((each or {}) for each in (event.before, event.after))
    was_on, is_on = (each.get("mode") == "enforced" and bool(each.get("networks")) for each in (before, after))
    if was_on is is_on:
        return "The list of addresses from which the account may be used was changed."
    return f"The list of addresses from which the account may be used was switched {'on' if is_on else 'off'}."


_PERSON: Final = frozenset({Reader.PERSON})
_ACCOUNT: Final = frozenset({Reader.ACTOR, Reader.OWNER})
_MAKE_SAFE: Final = (
    "If it was not you: sign in, look at your second factors and your sessions, and change your password, which ends "
    "every other session. If you cannot sign in any more, call whoever runs this service."
)
_RECOVERY: Final = _Rule(
    name="recovery_code_used",
    readers=_PERSON,
    applies=_is_by_recovery_code,
    what=_codes_left,
    advice="If it was not you, whoever it was has your password too: change it, make new recovery codes, and look at "
    "your second factors. If you cannot sign in any more, call whoever runs this service.",
)
_ACCESS: Final = _Rule(
    name="ip_access",
    readers=_ACCOUNT,
    what=_access_list,
    advice="If nobody of yours did it, change the password of whoever is named above. If it shuts you out, whoever "
    "runs this service can switch the list off.",
)

_RULES: Final[Mapping[Act, _Rule]] = {
    Act.PASSWORD_CHANGED: _Rule(
        readers=_PERSON,
        what="Your password was changed.",
        advice="If it was not you: ask for a new password at once, which ends every session. If your second factor is "
        "not taken any more, call whoever runs this service.",
    ),
    Act.FACTOR_ENROLLED: _Rule(
        readers=_PERSON,
        what=lambda event: f"A second factor was added: {_factor(event)}.",
        advice=_MAKE_SAFE,
    ),
    Act.FACTOR_REMOVED: _Rule(
        readers=_PERSON,
        what=lambda event: f"A second factor was removed: {_factor(event)}.",
        advice=_MAKE_SAFE,
    ),
    Act.RECOVERY_CODES_MADE: _Rule(
        readers=_PERSON,
        what="Ten new recovery codes were made; any that you had before are worthless.",
        advice=_MAKE_SAFE,
    ),
    Act.SIGNED_IN: _RECOVERY,
    Act.FACTOR_PROVED: _RECOVERY,
    Act.GUESSES_LIMITED: _Rule(
        readers=_PERSON,
        what=lambda event: (
            f"Somebody guessed too often at your {_after(event, 'guessed_at')}; further guesses from "
            "there are not looked at for a while."
        ),
        advice="Nothing was opened. If it was you, wait some minutes, or sign in from where you usually do. If it was "
        "not, and that password is in use anywhere else, change it.",
    ),
    Act.EMAIL_CHANGE_REQUESTED: _Rule(
        readers=_PERSON,
        what="Another e-mail address was asked for in your name. This one counts until the other one is proved.",
        advice="If it was not you: change your password now. That ends the session in which it was asked for, and the "
        "proof is worthless then.",
    ),
    Act.EMAIL_CHANGED: _Rule(
        readers=_PERSON,
        what="Your e-mail address was changed. Mail about your account does not come here any more.",
        advice="If it was not you, somebody has your session and your second factor: call whoever runs this service "
        "at once.",
    ),
    Act.TEAMMATE_RECOVERED: _Rule(
        readers=frozenset({Reader.PERSON, Reader.OWNER}),
        what="Whoever runs this service took a person's password, second factors and recovery codes away and made a "
        "token for a new start.",
        advice="If nobody asked for it, call whoever runs this service at once.",
    ),
    Act.KEY_ISSUED: _Rule(
        readers=_ACCOUNT,
        what=lambda event: f"An API key was made: {_key(event)}.",
        advice="If nobody of yours did it: revoke the key, and change the password of whoever is named above.",
    ),
    Act.KEY_REVOKED: _Rule(
        readers=frozenset({Reader.OWNER}),
        applies=lambda event: event.actor.kind is ActorKind.OPERATOR,
        what=lambda event: (
            f"The API key {_key(event)} was revoked by whoever runs this service, as it may have "
            "leaked. Mail that was queued under it is held."
        ),
        advice="Make another key where that one was in use, and find out how it got into other hands.",
    ),
    Act.IP_ACCESS_CHANGED: _ACCESS,
    Act.IP_ACCESS_FORCED: _ACCESS,
}

TOLD_OF: Final = frozenset(_RULES)
"""The acts that anybody may be told of."""
