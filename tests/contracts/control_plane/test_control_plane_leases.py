"""Leases on the real engine: one holder at a time, whatever two processes attempt."""

from datetime import timedelta
from threading import Barrier, Thread

from gatepost.runtime.control_plane import ControlPlane
from gatepost.storage.leases import SqlLeases

MINUTE = timedelta(minutes=1)


def take(plane: ControlPlane, holder: str, *, after: timedelta = timedelta()) -> bool:
    now = plane.clock.now() + after
    return SqlLeases(plane.database).take("jobs", holder, now=now, until=now + MINUTE)


def test_one_has_it_until_it_runs_out(control_plane: ControlPlane, other_process: ControlPlane) -> None:
    assert take(control_plane, "a")
    assert not take(other_process, "b")
    assert take(control_plane, "a", after=0.5 * MINUTE)
    assert not take(other_process, "b", after=1.4 * MINUTE)

    assert take(other_process, "b", after=1.5 * MINUTE)
    assert not take(control_plane, "a", after=1.6 * MINUTE)


def test_what_is_given_back_is_free_at_once_and_only_by_its_holder(
    control_plane: ControlPlane, other_process: ControlPlane
) -> None:
    assert take(control_plane, "a")
    SqlLeases(other_process.database).give_back("jobs", "b")
    assert not take(other_process, "b")

    SqlLeases(control_plane.database).give_back("jobs", "a")

    assert take(other_process, "b")


def test_of_two_at_once_one_gets_it(control_plane: ControlPlane, other_process: ControlPlane) -> None:
    barrier, taken = Barrier(2), []

    def run(plane: ControlPlane, holder: str) -> None:
        barrier.wait(10)
        taken.append(take(plane, holder))

    threads = [Thread(target=run, args=pair) for pair in ((control_plane, "a"), (other_process, "b"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert sorted(taken) == [False, True]
