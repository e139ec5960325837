"""A person at the HTTP API: accepts an invitation, enrols, signs in; remembers his token and what he holds."""

from typing import Any

from tests.support.authenticator import totp_code

from gatepost.tenancy.accounts.teammate import Role
from gatepost.tenancy.audit.entry import SERVICE

PASSWORD = "tin-lantern-oboe-47"


class Person:
    """One person, with one session at a time."""

    def __init__(self, api: Any, username: str = "ann") -> None:
        self.api, self.username, self.password = api, username, PASSWORD
        self.token = self.secret = ""
        self.codes: list[str] = []
        self.peer = "192.0.2.1"

    async def ask(self, method: str, path: str, body: object = None, *, token: str | None = None) -> Any:
        key = self.token if token is None else token
        return await self.api.ask(method, path, body, key=key, peer=self.peer, app=self.api.built)

    async def accept(self, token: str) -> Any:
        """Accept an invitation; the session is to enrol a factor."""
        body = {"token": token, "username": self.username, "password": self.password}
        return self.keep(await self.ask("POST", "/v3/invitations/accept", body, token=""))

    async def enrol(self) -> Any:
        """Enrol an authenticator application."""
        begun = await self.ask("POST", "/v3/user/factors/totp")
        assert begun.status == 201, begun.octets
        self.secret = begun.json["secret"]
        reply = await self.ask("PUT", "/v3/user/factors/totp", {"code": self.code()})
        assert reply.status == 200, reply.octets
        self.token = reply.json["session"]["session_token"]
        self.codes = reply.json["recovery_codes"] or self.codes
        return reply

    async def open(self, password: str | None = None) -> Any:
        """Begin to sign in."""
        body = {"username": self.username, "password": self.password if password is None else password}
        return self.keep(await self.ask("POST", "/v3/sessions", body, token=""))

    async def show(self, **proof: Any) -> Any:
        """Show a second factor."""
        return self.keep(await self.ask("POST", "/v3/sessions/factor", proof))

    async def sign_in(self) -> Any:
        """Sign in with password and a fresh code."""
        await self.open()
        self.api.clock.instant += self.api.a_step
        return await self.show(code=self.code())

    def code(self, steps_away: int = 0) -> str:
        return totp_code(self.secret, self.api.clock.now(), steps_away=steps_away)

    def keep(self, reply: Any) -> Any:
        if reply.status in (200, 201):
            self.token = reply.json["session_token"]
        return reply


async def join(api: Any, account_id: Any, username: str = "ann", role: Role = Role.OWNER, *scopes: str) -> Person:
    """Make a person of an account, signed in with a factor shown just now."""
    _, token = api.people.inviting.invite(account_id, f"{username}@x.example", role, frozenset(scopes), SERVICE)
    person = Person(api, username)
    assert (await person.accept(token.reveal())).status == 201
    await person.enrol()
    return person
