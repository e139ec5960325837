"""``gatepost init``: write the settings file and make what the service needs on disk."""

import os
import socket
import sys
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Final

import click

from gatepost.cli.main import CommandContext
from gatepost.primitives.errors import Misconfigured
from gatepost.runtime.compose import make_first_certificate, prepare_state
from gatepost.runtime.reload import certificate_chains
from gatepost.runtime.settings import Settings
from gatepost.runtime.settings_file import render_settings_file
from gatepost.runtime.settings_loader import read_settings

FIRST_CERTIFICATE_FOR: Final = timedelta(days=90)


@click.command()
@click.option("--host-name", help="This service's own name, such as mail.example.com.")
@click.option("--state-dir", type=click.Path(path_type=Path, file_okay=False), help="Where its state rests.")
@click.option("--user", help="The user to run as, when started as root.")
@click.option("--certificate", type=click.Path(path_type=Path), help="PEM file: certificate and intermediates.")
@click.option("--private-key", type=click.Path(path_type=Path), help="PEM file: the certificate's private key.")
@click.option("--self-signed", is_flag=True, help="Make an ECDSA certificate for a start, valid for 90 days.")
@click.option("--no-questions", is_flag=True, help="Take defaults instead of asking; never asks without a terminal.")
@click.pass_obj
def init(
    context: CommandContext,
    *,
    host_name: str | None,
    state_dir: Path | None,
    user: str | None,
    certificate: Path | None,
    private_key: Path | None,
    self_signed: bool,
    no_questions: bool,
) -> None:
    """Write the settings file, and make the state directory with all that must be in it. Overwrites nothing.

    Where the settings file exists already, what it names and is not there yet is made.
    """
    path = context.config_path.absolute()
    if path.exists():
        if any((host_name, state_dir, user, certificate, private_key, self_signed)):
            raise Misconfigured(f"{path} exists already: write into it what you gave as options")
        prepare_state(context.settings)
        click.echo(f"Kept {path}; state is in {context.settings.state_dir}.")
        return
    if not no_questions and sys.stdin.isatty():
        host_name, state_dir = _ask_where(host_name, state_dir)
        self_signed = self_signed or (certificate is None and _ask_for_certificate())
    state_dir = (state_dir or _default_state_dir()).absolute()
    if self_signed and certificate is None:
        certificate, private_key = state_dir / "tls" / "certificate.pem", state_dir / "tls" / "private-key.pem"
    chosen = {
        "host_name": host_name or socket.getfqdn(),
        "state_dir": state_dir,
        "user": user,
        "tls.certificate": certificate and certificate.absolute(),
        "tls.private_key": private_key and private_key.absolute(),
    }
    text = render_settings_file(chosen)
    # What the environment adds is for running, not for this file.
    settings = read_settings(tomllib.loads(text), {}, folder=path.parent, source="init")
    _make_all(path, text, settings, self_signed=self_signed)
    click.echo(f"Wrote {path}; state is in {settings.state_dir}.")
    click.echo(f"Next: gatepost check -c {path}; gatepost account create NAME -c {path}; gatepost serve -c {path}")


def _make_all(path: Path, text: str, settings: Settings, *, self_signed: bool) -> None:
    """Make everything; the settings file last, so that where it is, the rest is too."""
    try:
        prepare_state(settings)
        if self_signed:
            _make_certificate(settings)
        _write_settings(path, text)
    except OSError as error:
        raise Misconfigured(
            f"cannot make {error.filename}: {error.strerror}; run this as root, or choose other places with --config "
            "and --state-dir"
        ) from error


def _ask_where(host_name: str | None, state_dir: Path | None) -> tuple[str, Path]:
    return (
        host_name or click.prompt("Host name of this service", default=socket.getfqdn()),
        state_dir or click.prompt("State directory", default=_default_state_dir(), type=Path),
    )


def _ask_for_certificate() -> bool:
    return click.confirm("Make a self-signed certificate for a start?", default=True)


def _make_certificate(settings: Settings) -> None:
    (files,) = certificate_chains(settings.tls)
    if files.chain.exists() and files.private_key.exists():
        click.echo(f"Kept the certificate {files.chain}.")
        return
    make_first_certificate(settings, files, valid_for=FIRST_CERTIFICATE_FOR)
    click.echo(f"Made a self-signed certificate, {files.chain}; clients must be told to trust it.")


def _write_settings(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Readable by all: there is no secret in it, and the service reads it after it has given up root.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _default_state_dir() -> Path:
    default: Path = Settings(host_name="localhost").state_dir
    return default
