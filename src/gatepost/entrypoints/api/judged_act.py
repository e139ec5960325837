"""An act that changes rights: judged by the rights that its caller has at that moment, and entered before they are."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from gatepost.entrypoints.api.acts import ActsInProgress
from gatepost.entrypoints.api.operation import Call
from gatepost.entrypoints.api.ports import Callers
from gatepost.entrypoints.api.problem import Problem, problem_of_access
from gatepost.primitives.decision import Deny

T = TypeVar("T")


async def do_judged(
    acts: ActsInProgress, callers: Callers, call: Call, *, scope: str, act: Callable[[], T]
) -> T | Problem:
    """Do something in a thread if the caller may, or say why he may not."""
    with acts.enter():
        caller = callers.recheck(call.principal, call.peer, scope=scope)
        if isinstance(caller, Deny):
            return problem_of_access(caller, sends_mail=False)
        return await asyncio.to_thread(act)
