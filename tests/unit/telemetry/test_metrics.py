import math

import pytest
from prometheus_client import generate_latest

from gatepost.telemetry.metrics import Counter, Gauge, Histogram, Metrics


@pytest.fixture
def metrics():
    return Metrics()


def exposition(metrics):
    return generate_latest(metrics.registry).decode()


def test_counts_appear_only_after_a_flush_and_only_once(metrics):
    metrics.submissions.add("accepted", "")
    metrics.submissions.add("accepted", "", amount=4)
    assert 'gatepost_submissions_total{outcome="accepted"' not in exposition(metrics)

    metrics.flush()
    metrics.flush()

    assert 'gatepost_submissions_total{outcome="accepted",reason=""} 5.0' in exposition(metrics)


def test_counter_without_labels_counts(metrics):
    metrics.recipients_accepted.add(amount=3)
    metrics.flush()

    assert "gatepost_recipients_accepted_total 3.0" in exposition(metrics)


def test_histogram_is_filled_by_the_flush(metrics):
    metrics.accept_seconds.observe(0.004)
    metrics.accept_seconds.observe(0.04)
    metrics.flush()
    metrics.flush()

    text = exposition(metrics)
    assert "gatepost_accept_seconds_count 2.0" in text
    assert 'gatepost_accept_seconds_bucket{le="0.005"} 1.0' in text


def test_gauges_hold_the_last_value(metrics):
    metrics.sessions.set(3)
    metrics.sessions.set(2)
    metrics.queue_recipients.set(7, "held")

    text = exposition(metrics)
    assert "gatepost_sessions 2.0" in text
    assert 'gatepost_queue_recipients{state="held"} 7.0' in text


def test_wrong_number_of_label_values_is_an_error(metrics):
    metrics.attempts.add()

    with pytest.raises(ValueError, match="label"):
        metrics.flush()


def test_no_metric_has_a_label_that_a_client_could_fill(metrics):
    declared = [metric for metric in vars(metrics).values() if isinstance(metric, (Counter, Gauge, Histogram))]

    assert len(declared) > 10
    assert {label for metric in declared for label in metric.labels} <= {
        # An operation and a status are words of ours, however the request was worded.
        "listener", "operation", "outcome", "reason", "standing", "state", "status", "step",
    }  # fmt: skip


def test_what_is_shown_as_the_least_of_all_is_endless_until_it_is_known() -> None:
    metrics = Metrics()
    assert metrics.registry.get_sample_value("gatepost_disk_free_octets") == math.inf

    metrics.disk_free.set(5)

    assert metrics.registry.get_sample_value("gatepost_disk_free_octets") == 5
    assert metrics.registry.get_sample_value("gatepost_certificate_expiry_timestamp_seconds") == math.inf
    assert metrics.registry.get_sample_value("gatepost_sessions") == 0
