from gatepost.mailflow.delivery.route import NextHop
from gatepost.mailflow.delivery.source import ANY_SOURCE, Sources, leave_from

V4 = NextHop(host="a", address="192.0.2.1", port=25)
V6 = NextHop(host="b", address="2001:db8::1", port=25)
TWO = Sources(addresses=("198.51.100.2", "198.51.100.1"))


def test_without_an_assigned_address_the_hops_stay_as_they_are() -> None:
    assert leave_from(ANY_SOURCE, [V4, V6], "x.example") == (V4, V6)


def test_hops_of_a_family_without_an_assigned_address_are_left_out() -> None:
    [left] = leave_from(Sources(addresses=("2001:db8::9",)), [V4, V6], "x.example")

    assert (left.address, left.source) == ("2001:db8::1", "2001:db8::9")
    assert leave_from(Sources(addresses=("198.51.100.1",)), [V6], "x.example") == ()


def test_a_domain_keeps_to_one_address_and_domains_share_them() -> None:
    reversed_ = Sources(addresses=TWO.addresses[::-1])
    domains = [f"d{number}.example" for number in range(40)]

    chosen = [leave_from(TWO, [V4], domain)[0].source for domain in domains]

    assert chosen == [leave_from(reversed_, [V4], domain)[0].source for domain in domains]
    assert set(chosen) == set(TWO.addresses)
