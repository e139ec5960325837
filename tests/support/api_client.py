"""A client of the HTTP API: the standard library's, one connection, JSON in and out."""

import http.client
import json
import ssl
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.support.relay import Relay


class Reply(NamedTuple):
    """What came back; ``body`` is what the JSON says, or None."""

    status: int
    headers: dict[str, str]
    body: Any


class ApiClient:
    """Speaks to one relay with one key."""

    def __init__(self, relay: Relay, key: str | None = None) -> None:
        self._key = relay.key if key is None else key
        context = ssl.create_default_context(cafile=str(relay.ca_file))
        self._connection = http.client.HTTPSConnection("localhost", relay.api_port, context=context, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close()

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        """Make one request."""
        fields = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(method, path, None if body is None else json.dumps(body), fields)
        answer = self._connection.getresponse()
        octets = answer.read()
        names = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, names, json.loads(octets) if octets else None)


def mail(subject: str, *recipients: str, **members: object) -> dict[str, object]:
    """Return a body of ``mail/send``, with one personalization for each recipient."""
    return {
        "personalizations": [{"to": [{"email": each}]} for each in recipients or ("bob@dest.test",)],
        "from": {"email": "ann@example.test", "name": "Ann Example"},
        "subject": subject,
        "content": [{"type": "text/plain", "value": "Hello.\n.a line with a dot\nGrüße\n"}],
    } | members
