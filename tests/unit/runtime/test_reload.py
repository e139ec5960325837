from pathlib import Path

import pytest

from gatepost.primitives.errors import Misconfigured
from gatepost.runtime.reload import Reloader, certificate_chains, find_changes
from gatepost.runtime.settings import TLS, Log, Settings, Submission
from gatepost.runtime.settings_loader import load_settings
from gatepost.telemetry.logger import LogLevel

OLD = Settings(host_name="a.example")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "gatepost.toml"
    path.write_text('host_name = "a.example"\n')
    return path


@pytest.fixture
def taken():
    return []


@pytest.fixture
def reloader(path, taken):
    return Reloader(path, {}, load_settings(path, {}), {"tls": lambda new: taken.append(new.tls)})


async def test_changed_table_is_handed_to_its_taker(path, taken, reloader):
    path.write_text('host_name = "a.example"\n[tls]\ncertificate = "/c"\nprivate_key = "/k"\n')

    assert await reloader.reload() == ()

    assert taken == [TLS(certificate=Path("/c"), private_key=Path("/k"))]


async def test_taker_is_called_even_if_no_setting_changed_since_a_file_may_have(taken, reloader):
    await reloader.reload()

    assert len(taken) == 1


async def test_what_nobody_can_take_is_told_at_each_reload_until_the_restart(path, reloader):
    path.write_text('host_name = "b.example"\nworkers.mail = 3\n')

    first, second = await reloader.reload(), await reloader.reload()

    assert first == second == (
        "host_name has changed and needs a restart",
        "workers.mail has changed and needs a restart",
    )  # fmt: skip


async def test_settings_that_are_wrong_change_nothing(path, taken, reloader):
    path.write_text("host_name = 7")

    with pytest.raises(Misconfigured):
        await reloader.reload()

    assert taken == []


@pytest.mark.parametrize(
    ("new", "keys"),
    [
        pytest.param(OLD, [], id="nothing"),
        pytest.param(Settings(host_name="b.example"), ["host_name"], id="at the top"),
        pytest.param(
            Settings(host_name="a.example", log=Log(level=LogLevel.DEBUG), submission=Submission(max_messages=1)),
            ["submission.max_messages", "log.level"],
            id="in tables",
        ),
        pytest.param(Settings(host_name="a.example", listeners=()), ["listeners"], id="listeners"),
    ],
)
def test_changes_are_found_by_key(new, keys):
    assert find_changes(OLD, new) == keys


def test_chains_are_those_whose_both_files_are_set():
    one = TLS(certificate=Path("/c"), private_key=Path("/k"))
    two = TLS(
        certificate=Path("/c"),
        private_key=Path("/k"),
        second_certificate=Path("/d"),
        second_private_key=Path("/l"),
    )

    assert [len(certificate_chains(tls)) for tls in (TLS(), one, two)] == [0, 1, 2]
    assert certificate_chains(two)[1].private_key == Path("/l")
