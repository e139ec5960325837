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

    new_workers = "new workers: SIGUSR2 to the service, which replaces them without a pause, or a restart"
    assert first == second == (
        f"host_name has changed and needs {new_workers}",
        "workers.mail has changed and needs a restart",
    )  # fmt: skip


async def test_setting_that_is_taken_by_itself_leaves_the_rest_of_its_table_waiting(path):
    taken = []
    reloader = Reloader(
        path, {}, load_settings(path, {}), {"queue.reserve_octets": lambda new: taken.append(new.queue.reserve_octets)}
    )
    path.write_text('host_name = "a.example"\n[queue]\nreserve_octets = 7\nexpire_after = "1h"\n')

    notes = await reloader.reload()

    assert taken == [7]
    assert [note.partition(" ")[0] for note in notes] == ["queue.expire_after"]


async def test_each_setting_that_is_not_taken_has_a_line_in_the_log(path, reloader, capsys):
    path.write_text('host_name = "b.example"\n[log]\nlevel = "debug"\n')

    await reloader.reload()

    lines = [line for line in capsys.readouterr().out.splitlines() if "setting_not_taken" in line]
    assert len(lines) == 2
    assert "key=host_name" in lines[0]
    assert "needs='a restart'" in lines[1]


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
