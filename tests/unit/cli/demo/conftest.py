from datetime import UTC, datetime
from pathlib import Path

import pytest

from gatepost.cli.demo.inbox.mailbox import StoredMessage
from gatepost.cli.demo.inbox.verdict import Delivery, SignatureVerdict, Verdict

AT = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def store_message():
    """Makes a received message of these octets, with a good verdict where nothing else is said."""

    def make(octets=b"From: ann@example.test\r\nSubject: Hi\r\n\r\nHello\r\n", *, number=1, delivery=None, dkim=None):
        told = {
            "at": AT,
            "peer_address": "127.0.0.1",
            "greeting": "relay.test",
            "tls": "TLSv1.3 X",
            "mail_from": "ann@example.test",
            "recipients": ("bob@inbox.test",),
            **(delivery or {}),
        }
        passed = SignatureVerdict(
            result="pass", domain="example.test", selector="gp1r", algorithm="rsa-sha256", reason="signed by it"
        )
        verdict = Verdict(
            dkim=(passed,) if dkim is None else dkim, spf="pass", spf_problem="", authentication_results="mx; spf=pass"
        )
        return StoredMessage(
            number=number,
            path=Path(f"{number}.eml"),
            head=octets,
            size_octets=len(octets),
            delivery=Delivery(**told),
            verdict=verdict,
        )

    return make
