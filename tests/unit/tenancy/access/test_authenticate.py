import pytest

from gatepost.primitives.secret import Secret
from gatepost.tenancy.access.authenticate import read_credential
from gatepost.tenancy.access.principal import AccessDenial

KEY = b"SG.paWlpaWlpaWlpaWlpaWlpQ.paWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpSpXPD4"


def test_a_key_under_the_one_user_name_is_read() -> None:
    credential = read_credential("apikey", Secret(KEY))

    assert isinstance(credential, tuple)
    assert credential[0] == "paWlpaWlpaWlpaWlpaWlpQ"


@pytest.mark.parametrize(
    ("username", "password", "expected"),
    [
        ("apikey", b"hunter2", AccessDenial.BAD_CREDENTIAL),
        ("apikey", KEY[3:25], AccessDenial.BAD_CREDENTIAL),
        ("paWlpaWlpaWlpaWlpaWlpQ", KEY, AccessDenial.BAD_CREDENTIAL),
        ("ApiKey", KEY, AccessDenial.BAD_CREDENTIAL),
        ("acme", b"hunter2", AccessDenial.PASSWORD_NOT_TAKEN),
        ("anybody else", b"hunter2", AccessDenial.PASSWORD_NOT_TAKEN),
    ],
)
def test_the_reason_depends_on_what_was_sent_alone(username: str, password: bytes, expected: AccessDenial) -> None:
    assert read_credential(username, Secret(password)) is expected
