import pytest

from gatepost.network.response_rate_limit import WINDOW_SECONDS, ResponseRateLimit, Verdict

RATE = 2
BURST = RATE * WINDOW_SECONDS


class Hand:
    """A clock moved by hand."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def hand():
    return Hand()


@pytest.fixture
def limit(hand):
    return ResponseRateLimit(monotonic=hand, per_second=RATE)


def judge(limit, count, source="192.0.2.1", kind="a"):
    return [limit.judge(source, kind) for _ in range(count)]


def test_what_is_over_the_limit_goes_out_truncated_or_not_at_all(limit):
    verdicts = judge(limit, BURST + 4)

    assert verdicts == [Verdict.SEND] * BURST + [Verdict.TRUNCATE, Verdict.DROP] * 2


def test_time_gives_back_what_the_rate_allows_and_no_more(limit, hand):
    judge(limit, BURST + 4)
    hand.seconds += 1

    assert judge(limit, 4).count(Verdict.SEND) == RATE

    hand.seconds += 3600
    assert judge(limit, BURST * 2).count(Verdict.SEND) == BURST


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        ("192.0.2.200", True),
        ("192.0.3.1", False),
        ("2001:db8::1", False),
    ],
)
def test_ipv4_counts_by_24_bits(limit, other, is_same):
    judge(limit, BURST)

    assert (limit.judge(other, "a") is not Verdict.SEND) is is_same


@pytest.mark.parametrize(("other", "is_same"), [("2001:db8:0:ff::9%eth0", True), ("2001:db8:0:100::9", False)])
def test_ipv6_counts_by_56_bits(limit, other, is_same):
    judge(limit, BURST, source="2001:db8::1")

    assert (limit.judge(other, "a") is not Verdict.SEND) is is_same


def test_another_answer_has_a_count_of_its_own(limit):
    judge(limit, BURST)

    assert limit.judge("192.0.2.1", "b") is Verdict.SEND
