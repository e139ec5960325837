from gatepost.mailflow.delivery.shaping import Shaping, ShapingLimits

LIMITS = ShapingLimits(max_connections=4, initial_connections=2, recipients_per_connection=5, failures_before_backoff=2)


def attempt(shaping: Shaping, domain: str, now: float) -> str:
    """One attempt that only asks whether it may connect."""
    refusal = shaping.begin(domain, now)
    shaping.end(domain)
    return refusal


def fail(shaping: Shaping, domain: str, now: float, times: int = 1) -> None:
    for _ in range(times):
        shaping.note_failure(domain, now, "mx: timed out")


def test_room_is_what_is_not_leased() -> None:
    shaping = Shaping(LIMITS)

    shaping.reserve("a.test", 7)

    assert shaping.room("a.test") == 3
    assert shaping.room("b.test") == 10
    shaping.release("a.test", 7)
    assert shaping.room("a.test") == 10


def test_a_destination_begins_small_and_grows_with_success() -> None:
    shaping = Shaping(LIMITS)
    assert shaping.begin("a.test", 0) == ""
    assert shaping.may_begin("a.test")
    assert shaping.begin("a.test", 0) == ""
    assert not shaping.may_begin("a.test")

    for _ in range(9):
        shaping.note_success("a.test")

    started = 0
    while shaping.may_begin("a.test"):
        shaping.begin("a.test", 0)
        started += 1
    assert started == 2, "four side by side, two of them already under way"


def test_what_may_be_leased_follows_the_connections() -> None:
    shaping = Shaping(LIMITS)
    shaping.note_success("good.test")
    fail(shaping, "bad.test", 0)

    assert shaping.room("good.test") == 15
    assert shaping.room("bad.test") == 5


def test_failures_halve_the_connections_down_to_one() -> None:
    shaping = Shaping(LIMITS)
    for _ in range(9):
        shaping.note_success("a.test")

    rooms = []
    for _ in range(4):
        fail(shaping, "a.test", 0)
        rooms.append(shaping.room("a.test"))

    assert rooms == [10, 5, 5, 5]


def test_a_destination_that_fails_is_left_alone_for_a_while_that_doubles() -> None:
    shaping = Shaping(LIMITS)
    fail(shaping, "a.test", 0)
    assert attempt(shaping, "a.test", 1) == ""

    fail(shaping, "a.test", 1)

    assert "mx: timed out" in attempt(shaping, "a.test", 60.5)
    assert attempt(shaping, "a.test", 61) == "", "a probe"
    fail(shaping, "a.test", 61)
    assert attempt(shaping, "a.test", 180) != ""
    assert attempt(shaping, "a.test", 181) == ""


def test_while_one_probe_is_under_way_the_others_wait_for_what_it_finds() -> None:
    shaping = Shaping(LIMITS)
    fail(shaping, "a.test", 0, times=2)

    assert attempt(shaping, "a.test", 60) == ""
    assert attempt(shaping, "a.test", 61) != ""
    shaping.note_success("a.test")
    assert attempt(shaping, "a.test", 62) == ""


def test_the_pause_is_bounded() -> None:
    shaping = Shaping(LIMITS)

    fail(shaping, "a.test", 0, times=1000)

    assert attempt(shaping, "a.test", 599) != ""
    assert attempt(shaping, "a.test", 600) == ""


def test_a_success_between_failures_keeps_a_destination_going() -> None:
    shaping = Shaping(LIMITS)

    for _ in range(5):
        fail(shaping, "a.test", 0)
        shaping.note_success("a.test")

    assert attempt(shaping, "a.test", 1) == ""


def test_one_destination_says_nothing_about_another() -> None:
    shaping = Shaping(LIMITS)

    fail(shaping, "a.test", 0, times=5)

    assert attempt(shaping, "b.test", 1) == ""


def test_domains_behind_one_route_share_its_limits() -> None:
    shaping = Shaping(LIMITS, destination_of=lambda domain: "smarthost:25")

    shaping.reserve("a.test", 4)

    assert shaping.room("b.test") == 6


def test_idle_destinations_are_forgotten_beyond_the_bound_but_busy_and_failing_ones_last() -> None:
    shaping = Shaping(LIMITS, bound=10)
    shaping.reserve("busy.test", 3)
    fail(shaping, "dead.test", 0, times=2)

    for number in range(100):
        shaping.note_success(f"d{number}.test")

    assert shaping.room("busy.test") == 7
    assert len(shaping._states) <= 11
