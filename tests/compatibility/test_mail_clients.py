"""Real mail clients, configured as they would be for the dialect, each delivering to a real receiving Postfix."""

import smtplib
import ssl
import subprocess
from email.message import EmailMessage
from pathlib import Path

import pytest
from tests.support.ports import free_port, wait_for_port
from tests.support.postfix_instance import PostfixInstance, find_program
from tests.support.receiving_mx import ReceivingMX
from tests.support.relay import Relay

pytestmark = pytest.mark.debian


def assert_signed(message: EmailMessage) -> None:
    """The receiver's OpenDKIM verified both signatures, and nobody else's word was taken for it."""
    results = str(message["Authentication-Results"])
    assert results.startswith("receiver.test;"), results
    assert "dkim=pass" in results, results
    assert "dkim=fail" not in results, results
    assert "header.d=example.test" in results, results
    assert len(message.get_all("DKIM-Signature", [])) == 2


def compose(subject: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Ann Example <ann@example.test>"
    message["To"] = "bob@dest.test"
    message["Subject"] = subject
    message.set_content("Hello Bob,\n.a line that begins with a dot\nGrüße\n")
    return message


def test_smtplib_over_starttls(relay: Relay, receiver: ReceivingMX) -> None:
    with smtplib.SMTP("localhost", relay.starttls_port, timeout=20) as client:
        client.starttls(context=ssl.create_default_context(cafile=str(relay.ca_file)))
        client.login("apikey", relay.key)
        client.send_message(compose("smtplib over STARTTLS"))

    message = receiver.wait_for("smtplib over STARTTLS")

    assert_signed(message)
    assert message.get_content() == "Hello Bob,\n.a line that begins with a dot\nGrüße\n"


def test_smtplib_over_implicit_tls_many_messages(relay: Relay, receiver: ReceivingMX) -> None:
    context = ssl.create_default_context(cafile=str(relay.ca_file))
    with smtplib.SMTP_SSL("localhost", relay.implicit_port, context=context, timeout=20) as client:
        client.login("apikey", relay.key)
        for number in range(5):
            client.send_message(compose(f"smtplib over implicit TLS {number}"))

    for number in range(5):
        assert_signed(receiver.wait_for(f"smtplib over implicit TLS {number}"))


def test_a_large_message_arrives_unaltered(relay: Relay, receiver: ReceivingMX) -> None:
    attachment = bytes(range(256)) * 4096 * 8  # 8 MiB, about 11 in base64
    message = compose("large")
    message.add_attachment(attachment, maintype="application", subtype="octet-stream", filename="large.bin")

    with smtplib.SMTP("localhost", relay.starttls_port, timeout=60) as client:
        client.starttls(context=ssl.create_default_context(cafile=str(relay.ca_file)))
        client.login("apikey", relay.key)
        client.send_message(message)

    received = receiver.wait_for("large", seconds=60)
    assert_signed(received)
    assert next(received.iter_attachments()).get_content() == attachment


def run_swaks(relay: Relay, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["swaks", "--server", "localhost", "--from", "ann@example.test", "--to", "bob@dest.test"]
    command += ["--auth-user", "apikey", "--auth-password", relay.key, "--tls-ca-path", str(relay.ca_file)]
    return subprocess.run([*command, *arguments], check=False, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks_over_starttls(relay: Relay, receiver: ReceivingMX, mechanism: str) -> None:
    subject = f"swaks with {mechanism}"

    done = run_swaks(
        relay, "--port", str(relay.starttls_port), "-tls", "--auth", mechanism, "--header", f"Subject: {subject}"
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "250 2.0.0 Ok: queued as " in done.stdout
    assert_signed(receiver.wait_for(subject))


def test_swaks_over_implicit_tls(relay: Relay, receiver: ReceivingMX) -> None:
    done = run_swaks(
        relay, "--port", str(relay.implicit_port), "--tls-on-connect", "--header", "Subject: swaks, implicit TLS"
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert_signed(receiver.wait_for("swaks, implicit TLS"))


def test_swaks_without_tls_is_not_offered_auth(relay: Relay) -> None:
    done = run_swaks(relay, "--port", str(relay.starttls_port), "--auth", "PLAIN")

    assert done.returncode != 0
    assert "AUTH PLAIN" not in done.stdout


def test_swaks_with_a_wrong_key_is_told_in_the_dialect(relay: Relay) -> None:
    wrong = relay.key[:-6] + "AAAAAA"

    done = run_swaks(relay, "--port", str(relay.starttls_port), "-tls", "--auth", "PLAIN", "--auth-password", wrong)

    assert done.returncode != 0
    assert "535 5.7.8 Authentication failed:" in done.stdout


def test_swaks_with_a_foreign_author_is_told_in_the_dialect(relay: Relay) -> None:
    done = run_swaks(relay, "--port", str(relay.starttls_port), "-tls", "--from", "ceo@bank.example")

    assert done.returncode != 0
    assert "550 5.7.1 The from address does not match a verified Sender Identity." in done.stdout


def test_msmtp(relay: Relay, receiver: ReceivingMX, folder: Path) -> None:
    settings = folder / "msmtprc"
    settings.write_text(
        f"defaults\nauth on\ntls on\ntls_trust_file {relay.ca_file}\n"
        f"account relay\nhost localhost\nport {relay.starttls_port}\nfrom ann@example.test\n"
        f"user apikey\npassword {relay.key}\naccount default : relay\n"
    )
    settings.chmod(0o600)

    done = subprocess.run(
        ["msmtp", "-C", settings, "bob@dest.test"],
        check=False,
        input=compose("msmtp").as_bytes(),
        capture_output=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert_signed(receiver.wait_for("msmtp"))


def test_postfix_with_the_relay_as_its_smarthost(relay: Relay, receiver: ReceivingMX, folder: Path) -> None:
    port = free_port()
    (folder / "passwords").write_text(f"[localhost]:{relay.starttls_port} apikey:{relay.key}\n")
    subprocess.run([str(find_program("postmap")), folder / "passwords"], check=True, timeout=30)
    postfix = PostfixInstance(
        folder / "office",
        {
            "myhostname": "office.example.test",
            "mydestination": "",
            "relayhost": f"[localhost]:{relay.starttls_port}",
            "smtp_host_lookup": "native",
            "smtp_sasl_auth_enable": "yes",
            "smtp_sasl_security_options": "noanonymous",
            "smtp_sasl_password_maps": f"hash:{folder}/passwords",
            "smtp_tls_security_level": "secure",
            "smtp_tls_CAfile": str(relay.ca_file),
            "smtp_tls_secure_cert_match": "localhost",
        },
        [(port, [])],
    )
    postfix.start()
    try:
        wait_for_port(port)
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
            client.send_message(compose("through an office Postfix"))
        message = receiver.wait_for("through an office Postfix")
    except AssertionError as error:
        raise AssertionError(f"{error}\noffice Postfix:\n{postfix.log()}") from error
    finally:
        postfix.stop()

    assert_signed(message)
    assert any("office.example.test" in received for received in message.get_all("Received", []))
