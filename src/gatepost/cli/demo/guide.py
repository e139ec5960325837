"""What the demo says when it goes on: where everything is, and lines to paste (pure)."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """What the lines are made with.

    Attributes:
        program: How `gatepost` was called, for a shell.
        key: The whole API key.
    """

    program: str
    current_folder: Path
    config: Path
    ca: Path
    inbox: Path
    log: Path
    submission_port: int
    second_port: int
    implicit_port: int
    pages_port: int
    key: str
    key_id: str
    author: str
    recipient: str


def render_guide(address: Address) -> list[str]:
    """Return the lines."""
    return [
        "Running until Ctrl-C. Whatever the recipient, mail ends in the inbox: nothing leaves this machine.",
        "",
        f"  read the inbox    http://127.0.0.1:{address.pages_port}/   or the files in {address.inbox}",
        (
            f"  send to           localhost: {address.submission_port} or {address.second_port} with STARTTLS, or"
            f" {address.implicit_port} with TLS from the start"
        ),
        "  log in as         apikey, with the key below as the password",
        f"  the relay's log   {address.log}",
        "",
        "Paste into another terminal; first",
        "",
        f"cd {_quote(address.current_folder)}",
        "",
        "with swaks:",
        "",
        *_swaks(address),
        "",
        "with Python:",
        "",
        *_python(address),
        "",
        "with Node (npm install nodemailer):",
        "",
        *_node(address),
        "",
        "and to look behind it:",
        "",
        *_commands(address),
    ]


def _swaks(address: Address) -> list[str]:
    return [
        f"swaks --server localhost:{address.submission_port} --tls --tls-verify --tls-ca-path {_quote(address.ca)} \\",
        f"  --auth PLAIN --auth-user apikey --auth-password {address.key} \\",
        f"  --from {address.author} --to {address.recipient} --header 'Subject: From swaks'",
    ]


def _python(address: Address) -> list[str]:
    return [
        "python3 - <<'END'",
        "import smtplib, ssl",
        "from email.message import EmailMessage",
        "message = EmailMessage()",
        f'message["From"], message["To"] = "{address.author}", "{address.recipient}"',
        'message["Subject"] = "From Python"',
        'message.set_content("Hello")',
        f'with smtplib.SMTP("localhost", {address.second_port}) as client:',
        f"    client.starttls(context=ssl.create_default_context(cafile={_literal(address.ca)}))",
        f'    client.login("apikey", "{address.key}")',
        "    client.send_message(message)",
        "END",
    ]


def _node(address: Address) -> list[str]:
    return [
        "node - <<'END'",
        'const transport = require("nodemailer").createTransport({',
        f'  host: "localhost", port: {address.implicit_port}, secure: true,',
        f'  tls: {{ ca: require("fs").readFileSync({_literal(address.ca)}) }},',
        f'  auth: {{ user: "apikey", pass: "{address.key}" }},',
        "});",
        f'const mail = {{ from: "{address.author}", to: "{address.recipient}", subject: "From Node", text: "Hello" }};',
        "transport.sendMail(mail).then((sent) => console.log(sent.response), console.error);",
        "END",
    ]


def _commands(address: Address) -> list[str]:
    rows = [
        ("events --follow", "follow the mail"),
        ("queue list", "what waits"),
        ("books", "does it add up?"),
        ("key list --account acme", "the keys"),
        (f"key revoke {address.key_id}", "no more mail by it"),
        ("check", "is all well?"),
    ]
    called = [(f"{address.program} {command} -c {_quote(address.config)}", why) for command, why in rows]
    width = max(len(command) for command, _ in called)
    return [f"{command:<{width}}  # {why}" for command, why in called]


def _quote(path: Path) -> str:
    return shlex.quote(str(path))


def _literal(path: Path) -> str:
    """Write a path as a string of Python and of JavaScript."""
    return json.dumps(str(path))
