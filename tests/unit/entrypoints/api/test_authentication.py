from base64 import b64encode
from datetime import timedelta
from ipaddress import ip_address

import pytest

from gatepost.entrypoints.api.authentication import Authentication, read_authorization
from gatepost.entrypoints.api.problem import NO_CREDENTIAL
from gatepost.primitives.errors import Transient
from gatepost.telemetry.metrics import Metrics
from gatepost.tenancy.access.authenticate import Refusal
from gatepost.tenancy.access.principal import AccessDenial

PEER = ip_address("192.0.2.1")


def basic(text):
    return "Basic " + b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param("Bearer SG.a.b", ("apikey", b"SG.a.b"), id="bearer"),
        pytest.param("bearer  SG.a.b ", ("apikey", b"SG.a.b"), id="scheme in any case"),
        pytest.param(basic("apikey:SG.a.b"), ("apikey", b"SG.a.b"), id="basic"),
        pytest.param(basic("ann:secret:more"), ("ann", b"secret:more"), id="another user name"),
        pytest.param(basic("apikey"), None, id="basic without colon"),
        pytest.param("Basic !!!", None, id="no base64"),
        pytest.param("Digest x", None, id="another scheme"),
        pytest.param("SG.a.b", None, id="no scheme"),
        pytest.param("", None, id="nothing"),
        pytest.param("Bearer Grüße", None, id="beyond ASCII"),
        pytest.param("Bearer " + "x" * 600, None, id="endless"),
    ],
)
def test_what_the_header_offers(header, expected):
    found = read_authorization(header)

    assert (found and (found[0], found[1].reveal())) == expected


class Answering:
    """Access that says one thing."""

    def __init__(self, answer):
        self.answer = answer

    def authenticate(self, username, password, peer, *, scope, method, client):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def authenticate(answer, scope="mail.send"):
    return Authentication(Answering(answer), Metrics(), None).authenticate("Bearer SG.a.b", PEER, scope=scope)


async def test_without_a_credential_nobody_is_asked():
    found = await Authentication(Answering(AssertionError()), Metrics(), None).authenticate("", PEER, scope=None)

    assert found is NO_CREDENTIAL


async def test_a_store_that_does_not_answer_is_no_refusal():
    assert (await authenticate(Transient("busy"))).status == 503


@pytest.mark.parametrize(
    ("reason", "scope", "status", "message"),
    [
        (AccessDenial.BAD_CREDENTIAL, "mail.send", 401, "Permission denied, wrong credentials"),
        (AccessDenial.PASSWORD_NOT_TAKEN, "mail.send", 401, "Permission denied, wrong credentials"),
        (
            AccessDenial.KEY_NOT_VALID,
            None,
            401,
            "The provided authorization grant is invalid, expired, or revoked",
        ),
        (AccessDenial.SCOPE_MISSING, "mail.send", 401, "Authenticated user is not authorized to send mail"),
        (AccessDenial.NETWORK_NOT_ALLOWED, "mail.send", 401, "Authenticated user is not authorized to send mail"),
        (AccessDenial.SCOPE_MISSING, "api_keys.read", 403, "access forbidden"),
        (AccessDenial.ACCOUNT_NOT_ACTIVE, "api_keys.read", 403, "access forbidden"),
        (AccessDenial.TOO_MANY_ATTEMPTS, "api_keys.read", 429, "too many requests"),
    ],
)
async def test_refusals_are_worded_as_the_dialect_does(reason, scope, status, message):
    problem = await authenticate(Refusal(reason, delay=timedelta(milliseconds=1)), scope)

    assert (problem.status, problem.errors[0].message) == (status, message)
