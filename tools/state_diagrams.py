"""docs/reference/states.md: the tables of sessions, queued recipients and accounts, as diagrams and tables."""

from collections.abc import Iterable
from enum import Enum
from itertools import product

from gatepost.entrypoints.api.problem import problem_of_access
from gatepost.entrypoints.smtp.reply_texts import reply_to_denial
from gatepost.mailflow.queue.recipient import RecipientState
from gatepost.mailflow.queue.states import LIVE, MOVES
from gatepost.primitives.decision import Deny
from gatepost.standards.smtp.commands import Verb
from gatepost.standards.smtp.events import (
    ContentEnded,
    ContentOffered,
    CredentialOffered,
    RecipientOffered,
    ServerEvent,
    TransactionOffered,
)
from gatepost.standards.smtp.replies import Reply
from gatepost.standards.smtp.states import ACCEPTED, COMMANDS, REFUSED, State, greeted
from gatepost.tenancy.access.authorize import decide_by_state
from gatepost.tenancy.access.scope import MAIL_SEND
from gatepost.tenancy.accounts.account import AccountState
from gatepost.tenancy.accounts.lifecycle import TRANSITIONS
from gatepost.tenancy.accounts.state_effects import EFFECTS

DECIDED: dict[type[ServerEvent], Verb | None] = {
    CredentialOffered: Verb.AUTH,
    TransactionOffered: Verb.MAIL,
    RecipientOffered: Verb.RCPT,
    ContentOffered: Verb.DATA,
    ContentEnded: None,
}
"""The command whose acceptance an event asks for; the end of data is none."""

SESSION = """\
# States

Made from `standards/smtp/states.py`, `mailflow/queue/states.py` and `tenancy/accounts` by `tools/state_diagrams.py`; do
not edit.

## A submission session

What a client may say when. An arrow is an accepted command, or its refusal where that moves the session; a refusal that
moves nothing is not drawn. `RSET` leads back to *ready* from a transaction, `EHLO` always to where it leads from the
start, `QUIT` always to the end.
"""

COMMAND_TABLE = """
What each command gets in each state: "taken" means that it is read and answered on its merits.
"""

RECIPIENT = """
## A queued recipient

A recipient of an accepted message is in one of these states. The last four are final: the books and the events remember
them. *leased* means that an attempt is under way. A recipient that is held while it is leased is marked: its attempt
runs to its end, and where it would be queued again it is held. Nothing expires without an attempt.
"""

ACCOUNT = """
## An account

An operator moves an account; a parent can close its subuser. What counts for a subuser is the worst of its own state,
its parent's, and *suspended* while its parent has it disabled.
"""

EFFECTS_TABLE = """
What a state means. SMTP answers at AUTH; a session that is open already hears it at the next MAIL or at the end of its
content, and is closed. What is held stays so until an operator releases or removes it.
"""


def render() -> str:
    """Return the whole page."""
    parts = [SESSION, _mermaid(_session_arrows()), COMMAND_TABLE, _command_table(), RECIPIENT, _mermaid(_moves())]
    parts += [ACCOUNT, _mermaid(_account_moves()), EFFECTS_TABLE, _effects_table()]
    return "\n".join(parts) + "\n"


def _mermaid(arrows: Iterable[str]) -> str:
    return "\n".join(["```mermaid", "stateDiagram-v2", *(f"    {arrow}" for arrow in arrows), "```"])


def _session_arrows() -> Iterable[str]:
    yield f"[*] --> {_id(State.CONNECTED)}: 220 greeting"
    for by_ehlo, tls_active in product((True, False), (False, True)):
        after = greeted(by_ehlo=by_ehlo, tls_active=tls_active, may_send=False)
        how = ("EHLO" if by_ehlo else "HELO") + (" over TLS" if tls_active else " in the clear")
        yield f"{_id(State.CONNECTED)} --> {_id(after)}: {how}"
    yield f"{_id(State.UNPROTECTED)} --> {_id(State.HANDSHAKE)}: STARTTLS"
    yield f"{_id(State.HANDSHAKE)} --> {_id(State.CONNECTED)}: TLS is on, all is forgotten"
    for event, verb in DECIDED.items():
        yield from _decided_arrows(event, verb)


def _decided_arrows(event: type[ServerEvent], verb: Verb | None) -> Iterable[str]:
    after, reply = ACCEPTED[event]
    refused_to = REFUSED[event]
    said = "end of data" if verb is None else verb.value
    for before in _states_that_take(verb):
        yield f"{_id(before)} --> {_id(after)}: {said}, {reply.code}"
        if refused_to not in (None, before, after):
            yield f"{_id(before)} --> {_id(refused_to)}: {said} refused"


def _states_that_take(verb: Verb | None) -> list[State]:
    if verb is None:
        return [State.CONTENT]
    return [state for state, row in COMMANDS.items() if row[verb] is None]


def _command_table() -> str:
    states = list(COMMANDS)
    verbs = [verb for verb in Verb if all(verb in COMMANDS[state] for state in states)]
    rows = [["command", *[state.value for state in states]], ["---"] * (len(states) + 1)]
    rows += [[verb.value, *[_answer(COMMANDS[state][verb]) for state in states]] for verb in verbs]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _answer(reply: Reply | None) -> str:
    return "taken" if reply is None else f"{reply.code} {reply.enhanced}"


def _moves() -> Iterable[str]:
    yield f"[*] --> {_id(RecipientState.QUEUED)}: accepted"
    yield f"[*] --> {_id(RecipientState.LEASED)}: accepted, delivery has room"
    for before, afters in MOVES.items():
        for after in RecipientState:
            if after in afters:
                yield f"{_id(before)} --> {_id(after)}"
    for state in RecipientState:
        if state not in LIVE:
            yield f"{_id(state)} --> [*]"


def _account_moves() -> Iterable[str]:
    yield f"[*] --> {_id(AccountState.ACTIVE)}: account create"
    commands = dict(zip(AccountState, ("resume", "review", "suspend", "close"), strict=True))
    for before, after in product(AccountState, AccountState):
        if before is not after and before in TRANSITIONS[after]:
            yield f"{_id(before)} --> {_id(after)}: {commands[after]}"
    yield f"{_id(AccountState.CLOSED)} --> [*]"


def _effects_table() -> str:
    head = ["state", "mail", "SMTP", "mail/send", "queued mail", "keys, beside sending", "people"]
    rows = [head, ["---"] * len(head)]
    for state, effects in EFFECTS.items():
        decision = decide_by_state(state, MAIL_SEND)
        if isinstance(decision, Deny):
            reply = reply_to_denial(decision)
            answers = [f"{reply.code} {reply.enhanced}", str(problem_of_access(decision, sends_mail=True).status)]
        else:
            answers = ["235", "202"]
        words = [each.value for each in (effects.sending, effects.queued, effects.keys, effects.people)]
        rows.append([state.value, words[0], *answers, *words[1:]])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _id(state: Enum) -> str:
    return str(state.value).replace(" ", "_")
