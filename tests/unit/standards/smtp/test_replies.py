import pytest

from gatepost.standards.smtp.replies import Reply


@pytest.mark.parametrize(
    ("reply", "octets"),
    [
        (Reply(250, "2.0.0", "Ok"), b"250 2.0.0 Ok\r\n"),
        (Reply(354, "", "Continue"), b"354 Continue\r\n"),
        (Reply(334, "", ""), b"334 \r\n"),
        (Reply(250, "", "relay.example\n8BITMIME\nSTARTTLS"), b"250-relay.example\r\n250-8BITMIME\r\n250 STARTTLS\r\n"),
        (Reply(550, "5.7.1", "No\nSee there"), b"550-5.7.1 No\r\n550 5.7.1 See there\r\n"),
    ],
    ids=str,
)
def test_a_reply_on_the_wire(reply, octets) -> None:
    assert reply.octets == octets


@pytest.mark.parametrize(
    ("code", "kind"), [(250, "positive"), (354, "positive"), (421, "transient"), (554, "permanent")]
)
def test_a_reply_is_of_one_kind(code, kind) -> None:
    reply = Reply(code, "", "text")

    assert {"positive": reply.is_positive, "transient": reply.is_transient, "permanent": reply.is_permanent} == {
        name: name == kind for name in ("positive", "transient", "permanent")
    }


def test_a_reply_is_shown_in_one_line() -> None:
    assert str(Reply(250, "", "a\nb")) == "250 a b"
