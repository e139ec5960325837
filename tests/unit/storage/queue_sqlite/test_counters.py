from gatepost.storage.queue_sqlite.counters import COMMIT_BUCKETS, QueueCounters


def test_groups_are_counted_by_how_long_they_took():
    counters = QueueCounters()

    for jobs, seconds in [(1, 0.0005), (3, 0.001), (5, 0.0011), (7, 99.0)]:
        counters.count_group(jobs, seconds)

    assert (counters.groups, counters.jobs) == (4, 16)
    assert round(counters.commit_seconds, 4) == 99.0026
    assert counters.commit_buckets == [2, 1, *[0] * (len(COMMIT_BUCKETS) - 2), 1]
