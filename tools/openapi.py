"""docs/reference/openapi.json, made from the operations of the API."""

from typing import cast

from gatepost.entrypoints.api.acts import ActsInProgress
from gatepost.entrypoints.api.openapi import render_document
from gatepost.entrypoints.api.v3 import scopes
from gatepost.entrypoints.api.v3.api_keys import ApiKeys
from gatepost.entrypoints.api.v3.mail_batch import MailBatches
from gatepost.entrypoints.api.v3.mail_send import MailSending
from gatepost.entrypoints.api.v3.scheduled_sends import ScheduledSends
from gatepost.telemetry.metrics import Metrics


def render() -> str:
    """Return the document. Operations are described without being run, so nothing stands behind them here."""
    nothing = cast("object", None)
    sending = MailSending(
        door=nothing, batches=nothing, once=nothing, clock=nothing, entropy=nothing, metrics=Metrics(),
        max_size_octets=1,
    )  # type: ignore[arg-type]  # fmt: skip
    batches = MailBatches(batches=nothing, clock=nothing, entropy=nothing)  # type: ignore[arg-type]
    scheduled = ScheduledSends(batches=nothing, clock=nothing)  # type: ignore[arg-type]
    keys = ApiKeys(
        access=nothing, keys=nothing, keys_as=nothing, rights_changed=nothing, acts=ActsInProgress(), clock=nothing,
        entropy=nothing, hash_secret=bytes,
    )  # type: ignore[arg-type]  # fmt: skip
    operations = (
        *sending.operations(), *batches.operations(), *scheduled.operations(), *keys.operations(), *scopes.OPERATIONS,
    )  # fmt: skip
    return render_document(operations).decode("utf-8")
