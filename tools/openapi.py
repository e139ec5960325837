"""Write docs/reference/openapi.json from the operations of the API; ``--check`` only says whether it is stale."""

import sys
from pathlib import Path
from typing import cast

from gatepost.entrypoints.api.acts import ActsInProgress
from gatepost.entrypoints.api.openapi import render_document
from gatepost.entrypoints.api.v3 import scopes
from gatepost.entrypoints.api.v3.api_keys import ApiKeys
from gatepost.entrypoints.api.v3.mail_send import MailSending
from gatepost.telemetry.metrics import Metrics

REFERENCE = Path(__file__).parents[1] / "docs" / "reference" / "openapi.json"


def render() -> str:
    """Return the document. Operations are described without being run, so nothing stands behind them here."""
    nothing = cast("object", None)
    sending = MailSending(door=nothing, clock=nothing, entropy=nothing, metrics=Metrics(), max_size_octets=1)  # type: ignore[arg-type]
    keys = ApiKeys(
        access=nothing, keys=nothing, rights_changed=nothing, acts=ActsInProgress(), clock=nothing, entropy=nothing,
        hash_secret=bytes,
    )  # type: ignore[arg-type]  # fmt: skip
    return render_document((*sending.operations(), *keys.operations(), *scopes.OPERATIONS)).decode("utf-8")


def main(arguments: list[str]) -> int:
    """Write the document, or with ``--check`` compare it; 1 if it was stale."""
    text = render()
    if arguments == ["--check"]:
        stale = not REFERENCE.exists() or REFERENCE.read_text(encoding="utf-8") != text
        print("stale: run tools/openapi.py" if stale else "fresh")
        return int(stale)
    REFERENCE.write_text(text, encoding="utf-8")
    print(f"wrote {REFERENCE.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
