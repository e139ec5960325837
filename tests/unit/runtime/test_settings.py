import os
from pathlib import Path
from typing import get_type_hints

import msgspec
import pytest

from gatepost.primitives.secret import Secret
from gatepost.runtime.setting_types import describe_type, plain_type
from gatepost.runtime.settings import Listener, ListenerTLS, QueueSettings, Settings, Submission, Workers


def settings_of(struct, prefix=""):
    for name, hint in get_type_hints(struct, include_extras=True).items():
        kind, meta = plain_type(hint)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            yield from settings_of(kind, f"{prefix}{name}.")
        elif name != "listeners":
            yield f"{prefix}{name}", hint, meta


@pytest.mark.parametrize(
    ("hint", "meta"), [pytest.param(hint, meta, id=name) for name, hint, meta in settings_of(Settings)]
)
def test_every_setting_says_what_it_is_for(hint, meta):
    assert meta.description
    assert meta.description.endswith(".") or meta.description.endswith("`.")
    assert describe_type(hint)


def test_default_listeners_are_the_submission_ports():
    listeners = Settings(host_name="a.example").listeners

    assert [(listener.port, listener.tls) for listener in listeners] == [
        (25, ListenerTLS.STARTTLS),
        (587, ListenerTLS.STARTTLS),
        (2525, ListenerTLS.STARTTLS),
        (465, ListenerTLS.IMPLICIT),
    ]


def test_listener_is_named_for_its_port_and_tls():
    assert Listener(port=465, tls=ListenerTLS.IMPLICIT).name == "465-implicit"


def test_places_are_in_the_state_directory_unless_set():
    settings = Settings(host_name="a.example", state_dir=Path("/s"))

    assert settings.control_database_url == Secret("sqlite:////s/control.db")
    assert settings.keyring_path == Path("/s/keyring")
    assert {settings.queue_dir, settings.run_dir, settings.metrics_dir} == {
        Path("/s/queue"), Path("/s/run"), Path("/s/run/metrics")
    }  # fmt: skip


def test_places_that_are_set_stay():
    settings = Settings(host_name="a.example", database_url=Secret("x://"), keyring_file=Path("/k"))

    assert settings.control_database_url == Secret("x://")
    assert settings.keyring_path == Path("/k")


def test_mail_workers_are_one_a_core_unless_set():
    assert Settings(host_name="a.example").mail_worker_count == len(os.sched_getaffinity(0))
    assert Settings(host_name="a.example", workers=Workers(mail=7)).mail_worker_count == 7


@pytest.mark.parametrize(("total", "share"), [(10, 4), (9, 3), (1, 1)])
def test_total_is_shared_out_among_the_mail_workers(total, share):
    assert Settings(host_name="a.example", workers=Workers(mail=3)).share(total) == share


@pytest.mark.parametrize(
    ("set_to", "largest", "reserve"),
    [
        pytest.param(0, 30 << 20, 64 << 20, id="64 MiB at least"),
        pytest.param(0, 100 << 20, 150 << 20, id="one and a half of the largest message"),
        pytest.param(5, 100 << 20, 5, id="as set"),
    ],
)
def test_reserve_follows_the_largest_message_unless_set(set_to, largest, reserve):
    settings = Settings(
        host_name="a.example",
        queue=QueueSettings(reserve_octets=set_to),
        submission=Submission(max_size_octets=largest),
    )

    assert settings.reserve_octets == reserve
