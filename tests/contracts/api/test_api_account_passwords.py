"""A person's password opens a session that is not signed in yet, and nothing else: no mail and no API."""

import binascii
from ipaddress import ip_address
from typing import Any

import pytest
from tests.contracts.api.person import PASSWORD, join

from gatepost.primitives.secret import Secret
from gatepost.tenancy.access.authenticate import Refusal
from gatepost.tenancy.access.principal import AccessDenial

PEER = ip_address("192.0.2.77")


@pytest.fixture
async def ann(api: Any) -> Any:
    return await join(api, api.account("acme"), "ann")


@pytest.mark.parametrize(
    ("username", "reason"),
    [
        pytest.param("ann", AccessDenial.PASSWORD_NOT_TAKEN, id="the user name"),
        pytest.param("ann@x.example", AccessDenial.PASSWORD_NOT_TAKEN, id="the address"),
        pytest.param("acme", AccessDenial.PASSWORD_NOT_TAKEN, id="the account"),
        pytest.param("apikey", AccessDenial.BAD_CREDENTIAL, id="apikey"),
    ],
)
async def test_an_account_password_neither_sends_nor_calls(
    api: Any, ann: Any, username: str, reason: AccessDenial
) -> None:
    refused = api.control.principals.authenticate(username, Secret(PASSWORD.encode()), PEER)
    basic = binascii.b2a_base64(f"{username}:{PASSWORD}".encode(), newline=False).decode()
    called = await api.ask("GET", "/v3/scopes", headers={"Authorization": f"Basic {basic}"})

    assert isinstance(refused, Refusal)
    assert refused.reason is reason
    assert called.status == 401


async def test_a_password_alone_opens_a_session_that_may_do_nothing_else(api: Any, ann: Any) -> None:
    opened = await ann.open()
    made = await ann.ask("POST", "/v3/api_keys", {"name": "x", "scopes": ["mail.send"]})

    assert opened.json["due"] == "factor"
    assert made.status == 403 or made.status == 401
    assert api.control.keys.list_all(api.control.accounts.find_by_name("acme").id) == []
