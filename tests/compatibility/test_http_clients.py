"""The official client libraries of the dialect, unmodified but for host and authority, against a real relay."""

import importlib.util
import json
import os
import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from tests.compatibility.conftest import RequireProgram, missing
from tests.compatibility.test_mail_clients import assert_signed
from tests.support.receiving_mx import ReceivingMX
from tests.support.relay import Relay

pytestmark = pytest.mark.debian

HERE = Path(__file__).parent
KEY_SCOPES = [
    f"{resource}.{verb}"
    for resource in ("api_keys", "mail.batch", "user.scheduled_sends")
    for verb in ("create", "read", "update", "delete")
]


@pytest.fixture(scope="module")
def manager(mail_path: tuple[Relay, ReceivingMX]) -> str:
    """A key that may send and manage keys."""
    options = [word for scope in KEY_SCOPES for word in ("--scope", scope)]
    return mail_path[0].make_key("acme", "manager", *options)


def run(*command: str | Path, relay: Relay, key: str, place: str = "", **environment: str) -> Any:
    done = subprocess.run(
        [*command, place or relay.api_url, key],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr + relay.log()[-3000:]
    return json.loads(done.stdout)


def test_django_anymail_sends_mail(relay: Relay, receiver: ReceivingMX, manager: str) -> None:
    if importlib.util.find_spec("anymail") is None:
        missing("the Python package django-anymail")
    authority = {"SSL_CERT_FILE": str(relay.ca_file), "REQUESTS_CA_BUNDLE": str(relay.ca_file)}

    told = run(sys.executable, HERE / "anymail_django.py", relay=relay, key=manager, **authority)

    simple = receiver.wait_for("anymail simple")
    assert_signed(simple)
    assert simple.get_body(("html",)).get_content() == "<p>Grüße</p>"
    assert told["rich"] == [["queued"], ["bob@dest.test", "carl@dest.test"]]
    for name in ("Bob", "Carl"):
        message = receiver.wait_for(f"anymail rich for {name}")
        assert_signed(message)
        assert message["X-Test"] == "from anymail"
        assert message.get_body(("plain",)).get_content() == f"Dear {name}"
    assert told["spoof"] == 403


def test_nodemailer_sends_mail_over_smtp(
    relay: Relay, receiver: ReceivingMX, manager: str, node_folder: Path, requires_program: RequireProgram
) -> None:
    node = requires_program("node")
    authority = {"NODE_EXTRA_CA_CERTS": str(relay.ca_file)}

    told = run(
        node, node_folder / "nodemailer.cjs", relay=relay, key=manager, place=str(relay.starttls_port), **authority
    )

    message = receiver.wait_for("nodemailer simple")
    assert_signed(message)
    assert message.get_body(("html",)).get_content() == "<p>Grüße</p>"
    assert told["accepted"] == ["bob@dest.test"]
    assert told["reply"].startswith("250")
    assert told["spoof"] == 550


def assert_rich(message: EmailMessage, attachment: bytes) -> None:
    """Every part arrived as it was given, and nobody who was not to be seen is."""
    assert_signed(message)
    parts = {part.get_filename(): part for part in message.walk() if part.get_filename()}
    assert parts["Größe.bin"].get_payload(decode=True) == attachment
    assert parts["logo.png"]["Content-ID"] == "<logo>"
    assert parts["logo.png"].get_content_disposition() == "inline"
    # What stands above our signatures is the receiver's own.
    _, _, sent = message.as_string().partition("DKIM-Signature:")
    assert "To:" in sent
    assert "bcc" not in sent.lower()


def test_the_python_library_sends_mail_and_manages_keys(relay: Relay, receiver: ReceivingMX, manager: str) -> None:
    if importlib.util.find_spec("sendgrid") is None:
        missing("the Python package sendgrid")
    script = HERE / "sendgrid_python.py"

    told = run(sys.executable, script, relay=relay, key=manager, SSL_CERT_FILE=str(relay.ca_file))

    simple = receiver.wait_for("python simple")
    assert told["simple"][0] == 202
    assert_signed(simple)
    assert told["simple"][1] in simple["Message-ID"]
    assert simple["From"].addresses[0].display_name == "Ann Exämple"
    assert simple.get_body(("plain",)).get_content() == "Hello, Bob.\n.a dot"
    assert simple.get_body(("html",)).get_content() == "<p>Grüße</p>"
    assert (told["rich"], told["sandbox"], told["spoof"]) == (202, 200, [403, "from"])
    for name in ("Bob", "Carl"):
        message = receiver.wait_for(f"python rich for {name}")
        assert_rich(message, bytes(range(256)) * 500)
        assert (message["X-Test"], message["Cc"]) == (f"for {name}", f"cc-{name.lower()}@dest.test")
        assert message["Reply-To"] == "Replies <replies@example.test>"
        assert message.get_body(("plain",)).get_content() == f"Dear {name}"
    # One copy for each of to, cc and bcc, and none of the sandbox.
    assert receiver.count("python rich for Bob") == 3
    assert told["keys"] == {
        "listed": True,
        "shown": ["mail.send"],
        "renamed": "renamed",
        "changed": ["api_keys.read"],
        "scopes": ["api_keys.read"],
        "deleted": 204,
        "shown after": 404,
        "used after": 401,
    }


def test_the_node_libraries_send_mail_and_manage_keys(
    relay: Relay, receiver: ReceivingMX, manager: str, node_folder: Path, requires_program: RequireProgram
) -> None:
    node = requires_program("node")

    told = run(node, node_folder / "sendgrid.cjs", relay=relay, key=manager, NODE_EXTRA_CA_CERTS=str(relay.ca_file))

    simple = receiver.wait_for("node simple")
    assert told["simple"][0] == 202
    assert_signed(simple)
    assert told["simple"][1] in simple["Message-ID"]
    assert simple.get_body(("html",)).get_content() == "<p>Grüße</p>"
    assert (told["rich"], told["sandbox"], told["multiple"]) == (202, 200, [202, 202])
    message = receiver.wait_for("node rich")
    assert_rich(message, bytes(range(256)))
    assert message["X-Test"] == "from node"
    for name in ("bob", "carl"):
        assert_signed(receiver.wait_for(f"node multiple {name}"))
    assert told["spoof"][:2] == [403, "from"]
    assert told["spoof"][2].startswith("The from address does not match a verified Sender Identity.")
    assert told["tooLate"][:2] == [400, "send_at"]
    assert told["batch"] == {"made": 201, "sent": 202, "cancelled": 201, "listed": "cancel"}
    assert told["again"] == [202, 202, True]
    receiver.wait_for("node once")
    assert receiver.count("node once") == 1
    assert told["keys"] == {
        "listed": True,
        "shown": ["mail.send"],
        "renamed": "renamed",
        "changed": ["api_keys.read"],
        "deleted": 204,
        "after": 404,
    }
