from gatepost.tenancy.access.current import Current


class Version:
    def __init__(self) -> None:
        self.number = 1

    def version(self) -> int:
        return self.number


def test_the_value_is_kept_while_nothing_changes() -> None:
    current = Current(Version(), dict)
    current.get()["key"] = "value"

    assert current.get() == {"key": "value"}


def test_the_value_is_new_once_something_has_changed() -> None:
    version = Version()
    current = Current(version, dict)
    current.get()["key"] = "value"

    version.number = 2

    assert current.get() == {}


def test_an_answer_that_comes_late_is_not_taken_for_a_new_one() -> None:
    version = Version()
    current = Current(version, dict)
    before = current.get()
    version.number = 2
    current.get()

    before["key"] = "read before the change"

    assert current.get() == {}


def test_the_value_is_new_after_a_drop() -> None:
    current = Current(Version(), dict)
    current.get()["key"] = "value"

    current.drop()

    assert current.get() == {}
