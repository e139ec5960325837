"""docs/reference/openapi.json, made from the operations of the API."""

from typing import cast

from gatepost.entrypoints.api.acts import ActsInProgress
from gatepost.entrypoints.api.openapi import render_document
from gatepost.entrypoints.api.v3 import scopes
from gatepost.entrypoints.api.v3.access_settings import AccessSettings
from gatepost.entrypoints.api.v3.api_keys import ApiKeys
from gatepost.entrypoints.api.v3.mail_send import MailSending
from gatepost.telemetry.metrics import Metrics


def render() -> str:
    """Return the document. Operations are described without being run, so nothing stands behind them here."""
    nothing = cast("object", None)
    sending = MailSending(door=nothing, clock=nothing, entropy=nothing, metrics=Metrics(), max_size_octets=1)  # type: ignore[arg-type]
    keys = ApiKeys(
        access=nothing, keys=nothing, keys_as=nothing, rights_changed=nothing, acts=ActsInProgress(), clock=nothing,
        entropy=nothing, hash_secret=bytes,
    )  # type: ignore[arg-type]  # fmt: skip
    access = AccessSettings(
        access=nothing, lists=nothing, lists_as=nothing, attempts=nothing, rights_changed=nothing,
        acts=ActsInProgress(), clock=nothing,
    )  # type: ignore[arg-type]  # fmt: skip
    operations = (*sending.operations(), *keys.operations(), *access.operations(), *scopes.OPERATIONS)
    return render_document(operations).decode("utf-8")
