"""schemathesis on the document that the program gives of itself: no generated request, right or wrong by the document,
gets a failure, an answer that the document does not name, or a body of another shape than it says.
"""

from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gatepost.entrypoints.api.openapi import describe
from gatepost.tenancy.access.scope import CATALOGUE

EXAMPLES: Final = 8
CHECKS: Final = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ARGUMENTS: Final = {"method", "url", "headers", "json", "data", "params"}


# It grows with the operations, and a busy machine needs minutes for it.
@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
async def test_no_generated_request_gets_an_answer_that_the_document_does_not_name(api: Any, mode: Any) -> None:
    api.requests_at_once = 1_000_000
    account = api.account("acme")
    api.claims.holders |= {"example.com": account}
    key = api.key(account, *CATALOGUE)
    app = api.build()
    schema = schemathesis.openapi.from_dict(describe(api.operations()))
    statuses: dict[str, set[int]] = {}

    for found in schema.get_all_operations():
        operation = found.ok()
        for case in generate(operation, mode):
            kwargs = case.as_transport_kwargs(base_url="https://relay.test")
            request = requests.Request(**{name: kwargs[name] for name in ARGUMENTS & kwargs.keys()}).prepare()
            octets = request.body.encode() if isinstance(request.body, str) else request.body or b""
            headers = {name: str(value) for name, value in request.headers.items()}

            reply = await api.ask(case.method, request.path_url, octets, key=key, app=app, headers=headers)

            statuses.setdefault(operation.label, set()).add(reply.status)
            told = {name: [value] for name, value in reply.headers.items()}
            answer = Response(reply.status, told, reply.octets, request, 0.0, verify=True)
            case.validate_response(answer, checks=CHECKS)

    # That all of this reached the operations, not only what stands before them.
    assert 400 in statuses["POST /v3/mail/send"]
    assert mode is GenerationMode.NEGATIVE or 200 in statuses["GET /v3/api_keys"]


def generate(operation: Any, mode: Any) -> list[Any]:
    """Return requests of an operation, the same each time; none where nothing in one could be wrong."""
    if mode is GenerationMode.NEGATIVE and not (operation.body or operation.path_parameters or operation.query):
        return []
    cases: list[Any] = []

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def draw(case: Any) -> None:
        cases.append(case)

    draw()
    return cases
