from datetime import timedelta

import pytest

from gatepost.runtime.restart import HEALTHY_AFTER, count_failures, restart_after


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 0.1), (2, 0.2), (3, 0.4), (6, 3.2), (9, 25.6), (10, 30), (1000, 30)]
)
def test_wait_doubles_up_to_half_a_minute(failures, seconds):
    assert restart_after(failures) == timedelta(seconds=seconds)


def test_ends_in_a_row_are_counted():
    assert count_failures(2, ran_for=timedelta(seconds=1)) == 3


def test_a_child_that_ran_well_begins_anew():
    assert count_failures(9, ran_for=HEALTHY_AFTER) == 1
