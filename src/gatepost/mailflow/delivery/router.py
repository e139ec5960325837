"""Asks the DNS what ``route`` wants to know, and remembers where it led for a moment."""

import asyncio
from collections.abc import Callable

from gatepost.mailflow.delivery.route import Answers, Questions, Route, RoutePolicy, RouteResult, find_route
from gatepost.mailflow.delivery.static_route import find_static_route
from gatepost.primitives.entropy import Entropy
from gatepost.tenancy.senders.ports import Resolver

_REMEMBERED_SECONDS = 30.0
_MAX_REMEMBERED = 10_000


class Router:
    """Finds the next hops for a domain. The resolver's cache keeps to TTLs; this only saves repeating the work."""

    def __init__(
        self, *, policy: RoutePolicy, resolver: Resolver, entropy: Entropy, monotonic: Callable[[], float]
    ) -> None:
        """Route by ``policy``; ``monotonic`` counts seconds."""
        self._policy = policy
        self._resolver = resolver
        self._entropy = entropy
        self._monotonic = monotonic
        self._remembered: dict[str, tuple[float, Route]] = {}

    def destination_of(self, domain: str) -> str:
        """Return the name under which a domain's mail is shaped: its static route, or itself."""
        route = find_static_route(domain, self._policy.static_routes)
        return route.destination if route else domain

    async def find(self, domain: str) -> RouteResult:
        """Return where mail for a domain goes now, or why nowhere."""
        now = self._monotonic()
        known = self._remembered.get(domain)
        if known is not None and now < known[0]:
            return known[1]
        result = await self._ask(domain)
        if isinstance(result, Route):
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[domain] = (now + _REMEMBERED_SECONDS, result)
        return result

    async def _ask(self, domain: str) -> RouteResult:
        steps = find_route(domain, self._policy, seed=self._entropy.draw(16))
        try:
            questions = next(steps)
            while True:
                questions = steps.send(await self._answer(questions))
        except StopIteration as end:
            result: RouteResult = end.value
            return result

    async def _answer(self, questions: Questions) -> Answers:
        if len(questions) == 1:
            return [await self._resolver.resolve(questions[0])]
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(self._resolver.resolve(question)) for question in questions]
        return [task.result() for task in asked]
