import os
import stat

import pytest

from gatepost.primitives.errors import Misconfigured
from gatepost.runtime.settings import Settings
from gatepost.runtime.state_dir import (
    give_to_user,
    hold_service_lock,
    is_service_running,
    make_directories,
    renew_metrics_directory,
)


@pytest.fixture
def settings(tmp_path):
    return Settings(host_name="a.example", state_dir=tmp_path / "deep" / "state")


def test_directories_are_made_for_their_owner_alone(settings):
    make_directories(settings)

    for path in (settings.state_dir, settings.queue_dir, settings.run_dir):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_what_is_there_stays(settings):
    make_directories(settings)
    (settings.queue_dir / "shard-0.db").write_text("mail")

    make_directories(settings)

    assert (settings.queue_dir / "shard-0.db").read_text() == "mail"


def test_lock_is_held_by_one_and_names_it(settings):
    make_directories(settings)

    lock = hold_service_lock(settings)

    assert is_service_running(settings)
    with pytest.raises(Misconfigured, match=f"process {os.getpid()}"):
        hold_service_lock(settings)
    os.close(lock)
    assert not is_service_running(settings)


def test_lock_can_be_taken_again_after_its_holder_ended(settings):
    make_directories(settings)
    os.close(hold_service_lock(settings))

    os.close(hold_service_lock(settings))


def test_restored_state_directory_gets_its_directory_for_the_lock(settings):
    make_directories(settings)
    settings.run_dir.rmdir()

    os.close(hold_service_lock(settings))

    assert stat.S_IMODE(settings.run_dir.stat().st_mode) == 0o700


def test_missing_state_directory_is_told(settings):
    with pytest.raises(Misconfigured, match="gatepost init"):
        hold_service_lock(settings)
    assert not is_service_running(settings)


def test_metrics_directory_begins_empty(tmp_path):
    path = tmp_path / "metrics"
    for _ in range(2):
        renew_metrics_directory(path)
        assert list(path.iterdir()) == []
        (path / "counter_1.db").write_text("old")


def test_file_without_a_user_keeps_its_owner(tmp_path):
    before = tmp_path.stat().st_uid

    give_to_user(tmp_path, None)

    assert tmp_path.stat().st_uid == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_gives_files_to_the_user(tmp_path):
    give_to_user(tmp_path, "nobody")

    assert tmp_path.owner() == "nobody"


@pytest.mark.parametrize("act", [make_directories, hold_service_lock])
def test_a_path_too_long_for_control_sockets_is_told_before_any_worker_starts(tmp_path, act):
    settings = Settings(host_name="a.example", state_dir=tmp_path / ("x" * 100))

    with pytest.raises(Misconfigured, match=r"too long for the control sockets, .* choose a shorter state_dir"):
        act(settings)

    assert list(tmp_path.iterdir()) == []
