"""An act that changes rights: judged by the rights that its caller has at that moment, and entered before they are."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from gatepost.entrypoints.api.acts import ActsInProgress
from gatepost.entrypoints.api.operation import Call
from gatepost.entrypoints.api.ports import Callers
from gatepost.entrypoints.api.problem import Problem, problem_of_access
from gatepost.primitives.decision import Deny
from gatepost.tenancy.access.person import Caller

T = TypeVar("T")


async def do_judged(
    acts: ActsInProgress,
    callers: Callers,
    call: Call,
    *,
    scope: str,
    act: Callable[[], T],
    object_to: Callable[[Caller], Problem | None] = lambda _: None,
) -> T | Problem:
    """Do something in a thread if the caller may, or say why he may not.

    Args:
        acts, callers, call: What is under way, who may do what, and what was asked.
        scope: What it takes.
        act: Does it.
        object_to: Says what else, of the rights that the caller has at this moment, stands against it.
    """
    with acts.enter():
        caller = callers.recheck(call.principal, call.peer, scope=scope)
        if isinstance(caller, Deny):
            return problem_of_access(caller, sends_mail=False)
        if (objection := object_to(caller)) is not None:
            return objection
        return await asyncio.to_thread(act)
