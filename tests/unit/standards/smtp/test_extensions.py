import pytest

from gatepost.standards.smtp.extensions import ehlo_reply, helo_reply

ALWAYS = ["relay.example", "8BITMIME", "PIPELINING", "SIZE 1000", "SMTPUTF8", "ENHANCEDSTATUSCODES"]


@pytest.mark.parametrize(
    ("offers_starttls", "offers_auth", "more"),
    [
        (False, False, []),
        (True, False, ["STARTTLS"]),
        (False, True, ["AUTH PLAIN LOGIN", "AUTH=PLAIN LOGIN"]),
    ],
)
def test_ehlo_lists_what_is_offered_after_our_name(offers_starttls, offers_auth, more) -> None:
    reply = ehlo_reply("relay.example", max_size_octets=1000, offers_starttls=offers_starttls, offers_auth=offers_auth)

    assert (reply.code, reply.enhanced) == (250, "")
    assert reply.text.split("\n") == ALWAYS + more


def test_ehlo_on_the_wire_has_a_hyphen_in_all_lines_but_the_last() -> None:
    reply = ehlo_reply("relay.example", max_size_octets=1, offers_starttls=True, offers_auth=False)

    *lines, last = reply.octets.split(b"\r\n")[:-1]
    assert all(line.startswith(b"250-") for line in lines)
    assert last == b"250 STARTTLS"


def test_helo_lists_nothing() -> None:
    assert helo_reply("relay.example").octets == b"250 relay.example\r\n"
