import tomllib
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from gatepost.primitives.errors import Misconfigured
from gatepost.primitives.secret import Secret
from gatepost.runtime.settings import ListenerTLS
from gatepost.runtime.settings_loader import SettingsInvalid, load_settings, read_settings

FOLDER = Path("/etc/gatepost")
MINIMAL = {"host_name": "mail.example.com"}


def read(text="", environment=None):
    return read_settings(MINIMAL | tomllib.loads(text), environment or {}, folder=FOLDER)


def problems_of(text="", environment=None, base=MINIMAL):
    with pytest.raises(SettingsInvalid) as caught:
        read_settings(base | tomllib.loads(text), environment or {}, folder=FOLDER)
    return {problem.key: str(problem) for problem in caught.value.problems}


def test_a_host_name_is_all_that_must_be_said():
    assert read().host_name == "mail.example.com"


def test_tables_and_lists_of_tables_are_read():
    settings = read("""
        workers.mail = 3
        [[listeners]]
        port = 2525
        [[listeners]]
        address = "127.0.0.1"
        port = 465
        tls = "implicit"
        [delivery.routes]
        "example.test" = "127.0.0.1:2526"
    """)

    assert settings.workers.mail == 3
    assert [listener.tls for listener in settings.listeners] == [ListenerTLS.STARTTLS, ListenerTLS.IMPLICIT]
    assert settings.delivery.routes == {"example.test": "127.0.0.1:2526"}


def test_everything_wrong_is_told_at_once():
    problems = problems_of(
        """
        state_dri = "/x"
        database_url = ""
        log = 7
        [[listeners]]
        tls = "none"
        [submission]
        idle_timeout = 300
        max_messages = 0
        """,
        {"GATEPOST_WORKERS__MAIL": "many"},
        base={},
    )

    assert problems.keys() == {
        "state_dri", "host_name", "database_url", "log", "listeners[0].port", "listeners[0].tls",
        "submission.idle_timeout", "submission.max_messages", "workers.mail",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        pytest.param("[submision]", "submision", "did you mean submission?", id="misspelt table"),
        pytest.param("[log]\ncolour = true", "log.colour", "known here: format, level", id="unknown setting"),
        pytest.param("[submission]\nidle_timeout = 300", "submission.idle_timeout", 'idle_timeout = "5m"', id="unit"),
        pytest.param("listeners = 25", "listeners", "[[listeners]]", id="listeners"),
        pytest.param("listeners = []", "listeners", "leave it out", id="no listener"),
        pytest.param("tls = 1", "tls", "[tls]", id="table"),
        pytest.param(
            '[[listeners]]\nport = 1\naddress = "localhost"', "listeners[0].address", "no IP address", id="address"
        ),
        pytest.param("[[listeners]]\nport = 1\n[[listeners]]\nport = 1", "listeners", "port 1 twice", id="same port"),
        pytest.param('[tls]\ncertificate = "c"', "tls.private_key", "set both", id="certificate without key"),
        pytest.param(
            '[tls]\nsecond_private_key = "c"', "tls.second_certificate", "set both", id="second key without certificate"
        ),
        pytest.param(
            '[tls]\nsecond_certificate = "c"\nsecond_private_key = "k"', "tls.certificate", "needs a first", id="second"
        ),
        pytest.param(
            "[submission]\nmemory_octets = 1048576\nspool_threshold_octets = 2000000",
            "submission.memory_octets",
            "smaller",
            id="memory",
        ),
        pytest.param('[delivery]\nnameservers = ["dns.example"]', "delivery.nameservers", "no IP", id="nameserver"),
    ],
)
def test_problem_names_the_key_and_what_to_write(text, key, said):
    assert said in problems_of(text)[key]


def test_problems_never_show_a_secret():
    text = str(problems_of('database_url = "postgresql://u:hunter2@\\u0007"'))

    assert "hunter2" not in text


def test_nameservers_may_have_ports():
    assert read('[delivery]\nnameservers = ["::1", "[::1]:53", "127.0.0.1:5353"]').delivery.nameservers


def test_environment_wins_over_the_file():
    settings = read(
        '[log]\nlevel = "info"',
        {
            "GATEPOST_HOST_NAME": "other.example",
            "GATEPOST_LOG__LEVEL": "debug",
            "GATEPOST_WORKERS__MAIL": "3",
            "GATEPOST_SENDERS__SENDING_NETWORKS": '["192.0.2.0/24"]',
            "GATEPOST_DELIVERY__ROUTES": '{"a.test" = "b:25"}',
        },
    )

    assert settings.host_name == "other.example"
    assert settings.log.level.value == "debug"
    assert settings.workers.mail == 3
    assert settings.senders.sending_networks == (IPv4Network("192.0.2.0/24"),)
    assert settings.delivery.routes == {"a.test": "b:25"}


@pytest.mark.parametrize("variable", ["GATEPOST_STATEDIR", "GATEPOST_LOG__COLOUR"])
def test_environment_variable_that_can_only_be_meant_for_us_is_refused(variable):
    assert variable in problems_of(environment={variable: "x"})


@pytest.mark.parametrize("variable", ["GATEPOST_PORT", "GATEPOST_SERVICE_HOST", "GATEPOST_CONFIG", "PATH"])
def test_environment_variables_of_container_platforms_are_left_alone(variable):
    assert read(environment={variable: "tcp://10.0.0.1:25"}).host_name == "mail.example.com"


def test_relative_paths_start_at_the_settings_file():
    settings = read('state_dir = "state"\nkeyring_file = "/k"')

    assert (settings.state_dir, settings.keyring_path) == (FOLDER / "state", Path("/k"))


@pytest.mark.parametrize("by", ["file", "environment"])
def test_secret_is_read_from_a_file(tmp_path, by):
    secret = tmp_path / "url"
    secret.write_text("postgresql://u:p@h/d\n")

    if by == "file":
        settings = read(f'database_url_file = "{secret}"')
    else:
        settings = read(environment={"GATEPOST_DATABASE_URL_FILE": str(secret)})

    assert settings.database_url == Secret("postgresql://u:p@h/d")


@pytest.mark.parametrize("content", [None, b"", b"\xff"], ids=["missing", "empty", "not text"])
def test_secret_file_that_is_no_use_is_told(tmp_path, content):
    path = tmp_path / "url"
    if content is not None:
        path.write_bytes(content)

    problems = problems_of(f'database_url_file = "{path}"')

    assert str(path) in problems["database_url_file"]


def test_secret_given_twice_is_refused():
    assert "keep one" in problems_of('database_url = "x"\ndatabase_url_file = "y"')["database_url"]


def test_settings_file_is_loaded_with_paths_from_its_folder(tmp_path):
    path = tmp_path / "gatepost.toml"
    path.write_text('host_name = "a.example"\nstate_dir = "s"')

    assert load_settings(path, {}).state_dir == tmp_path / "s"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "gatepost init", id="missing"),
        pytest.param(b"host_name = ", "is not TOML", id="not TOML"),
        pytest.param(b'host_name = "\xff"', "is not TOML", id="not UTF-8"),
        pytest.param(b"", "host_name is missing", id="empty"),
    ],
)
def test_settings_file_that_is_no_use_is_told(tmp_path, content, said):
    path = tmp_path / "gatepost.toml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(Misconfigured, match=said) as caught:
        load_settings(path, {})
    assert str(path) in str(caught.value)
