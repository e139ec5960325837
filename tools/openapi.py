"""docs/reference/openapi.json, made from the operations of the API."""

from typing import Any, cast

from gatepost.entrypoints.api.acts import ActsInProgress
from gatepost.entrypoints.api.openapi import render_document
from gatepost.entrypoints.api.v3 import scopes
from gatepost.entrypoints.api.v3.api_keys import ApiKeys
from gatepost.entrypoints.api.v3.mail_send import MailSending
from gatepost.entrypoints.api.v3.password_resets import TokenEntries
from gatepost.entrypoints.api.v3.sessions import Sessions
from gatepost.entrypoints.api.v3.teammates import Teammates
from gatepost.entrypoints.api.v3.user import User
from gatepost.entrypoints.api.v3.user_factors import UserFactors
from gatepost.telemetry.metrics import Metrics


def render() -> str:
    """Return the document. Operations are described without being run, so nothing stands behind them here."""
    nothing = cast("Any", None)
    sending = MailSending(door=nothing, clock=nothing, entropy=nothing, metrics=Metrics(), max_size_octets=1)
    keys = ApiKeys(
        access=nothing, keys=nothing, keys_as=nothing, rights_changed=nothing, acts=ActsInProgress(), clock=nothing,
        entropy=nothing, hash_secret=bytes,
    )  # fmt: skip
    teammates = Teammates(
        people=nothing, callers=nothing, letters=nothing, rights_changed=nothing, acts=ActsInProgress()
    )
    operations = (
        *sending.operations(),
        *keys.operations(),
        *scopes.OPERATIONS,
        *Sessions(people=nothing, rights_changed=nothing).operations(),
        *TokenEntries(people=nothing, letters=nothing).operations(),
        *UserFactors(people=nothing).operations(),
        *User(people=nothing).operations(),
        *teammates.operations(),
    )
    return render_document(operations).decode("utf-8")
