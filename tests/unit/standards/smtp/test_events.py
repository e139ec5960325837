from gatepost.primitives.secret import Secret
from gatepost.standards.smtp.events import CredentialOffered


def test_a_credential_does_not_show_its_password() -> None:
    assert "hunter2" not in repr(CredentialOffered("PLAIN", "apikey", Secret(b"hunter2")))
