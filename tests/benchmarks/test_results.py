"""The arithmetic behind the figures of ``python -m benchmarks``."""

from dataclasses import replace

import pytest
from benchmarks.results import Result, as_json, find_slope, render, summarise

RUN = Result(
    accept_rate=100,
    end_to_end_rate=100,
    accepted=10,
    delivered=10,
    signatures=20,
    refused=0,
    under_way_p50=0.1,
    under_way_p99=0.2,
    first_error="",
    processor_seconds=0.001,
    peak_resident=2 * 2**20,
    peak_proportional=2**20,
)


def runs(*rates):
    return [replace(RUN, end_to_end_rate=rate) for rate in rates]


def test_the_ratio_is_the_median_of_the_ratios_within_each_round_not_the_ratio_of_the_medians():
    ours, peer = summarise({"ours": runs(100, 400, 900), "peer": runs(100, 200, 100)})

    assert (peer.ratio, peer.least_ratio, peer.greatest_ratio) == (2, 1, 9)
    assert ours.ratio == 1


def test_processor_time_is_compared_within_each_round_too():
    ours = [replace(RUN, processor_seconds=0.001), replace(RUN, processor_seconds=0.003)]
    peer = [replace(RUN, processor_seconds=0.004), replace(RUN, processor_seconds=0.006)]

    lines = summarise({"ours": ours, "peer": peer})

    assert [line.processor_ratio for line in lines] == [1, 3]


def test_a_peer_that_delivered_nothing_is_infinitely_slower_and_breaks_nothing():
    _, peer = summarise({"ours": runs(100), "peer": runs(0)})

    assert peer.ratio == float("inf")
    assert "inf" in render([peer])


def test_a_system_without_a_finished_run_has_no_line():
    assert [line.system for line in summarise({"ours": runs(1), "peer": []})] == ["ours"]


def test_what_was_lost_or_refused_is_added_up_over_the_rounds_and_memory_is_the_most_seen():
    hurt = replace(RUN, delivered=7, refused=2, peak_resident=9 * 2**20)

    (line,) = summarise({"ours": [RUN, hurt, hurt]})

    assert (line.lost, line.refused, line.peak_resident) == (6, 4, 9 * 2**20)


def test_signatures_are_counted_by_message_delivered():
    (line,) = summarise({"ours": [RUN, replace(RUN, delivered=30, signatures=60)]})

    assert line.signatures_a_message == 2


def test_a_table_shows_time_memory_and_processor_in_its_units():
    table = render(summarise({"ours": [RUN]}))

    assert "0.100 / 0.200" in table
    assert "1.00" in table  # milliseconds a message
    assert "2 / 1" in table  # MiB resident, proportional


def test_json_carries_every_figure_of_every_run():
    assert as_json({"10k": {"ours": [RUN]}})["10k"]["ours"][0]["peak_proportional"] == 2**20


@pytest.mark.parametrize(
    ("points", "slope"),
    [
        pytest.param([(0, 5), (1, 7), (2, 9)], 2, id="rising"),
        pytest.param([(0, 5), (1, 5)], 0, id="flat"),
        pytest.param([(3, 5)], 0, id="one look says nothing"),
        pytest.param([], 0, id="none"),
    ],
)
def test_slope(points, slope):
    assert find_slope(points) == pytest.approx(slope)
