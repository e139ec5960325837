"""One message becomes one for each recipient, in which nobody else is named."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gatepost.mailflow.content import MemoryContent
from gatepost.mailflow.envelope import Envelope, Origin
from gatepost.mailflow.options import SendingOptions
from gatepost.mailflow.submission.mailing import BadInstructions, Mailing, write_all
from gatepost.mailflow.submission.submission import Submission
from gatepost.mailflow.submission.substitution import Footer
from gatepost.standards.address import parse_mailbox
from gatepost.standards.message.header_build import NamedMailbox

AT = datetime(2026, 11, 24, tzinfo=UTC)
CONTENT = (
    b"From: alice@example.com\r\nTo: dummy@example.com\r\nCc: c@example.org\r\nBcc: b@example.org\r\n"
    b'X-SMTPAPI: {"to": ["secret@example.org"]}\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= -n-\r\n\r\nDear -n-\r\n'
)


def address(text):
    return parse_mailbox(text.encode(), allow_utf8=True)


def to(*addresses):
    return tuple([NamedMailbox(address(each), "Name") for each in addresses])


@pytest.fixture
def submission(principal):
    return Submission(
        principal=principal,
        envelope=Envelope(reverse_path=address("a@example.com"), forward_paths=(address("dummy@example.com"),)),
        content=MemoryContent(CONTENT),
        origin=Origin(protocol="ESMTPSA", peer_address="192.0.2.7", greeting="client.example"),
    )


def octets(written):
    return [each.content.octets for each in written]


def test_each_recipient_gets_a_message_that_names_nobody_else(submission):
    written = write_all(submission, Mailing(to=to("x@a.test", "y@b.test"), values=(("-n-", ("Ann", "Bob")),)), None)

    assert [[str(path) for path in each.envelope.forward_paths] for each in written] == [["x@a.test"], ["y@b.test"]]
    assert octets(written)[0] == (
        b"From: alice@example.com\r\nSubject: =?utf-8?b?R3LDvMOfZSBBbm4=?=\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: 7bit\r\nMIME-Version: 1.0\r\nTo: Name <x@a.test>\r\n\r\nDear Ann\r\n"
    )
    for octet, own, other in zip(octets(written), (b"x@a.test", b"y@b.test"), (b"y@b.test", b"x@a.test"), strict=True):
        assert own in octet
        for foreign in (other, b"dummy@", b"c@example.org", b"b@example.org", b"secret@", b"X-SMTPAPI"):
            assert foreign not in octet
    assert [b"Dear Ann" in octets(written)[0], b"Dear Bob" in octets(written)[1]] == [True, True]


def test_without_to_each_of_the_envelope_gets_his_and_the_fields_stay(submission):
    paths = address("x@a.test"), address("y@b.test")
    submission = replace(submission, envelope=replace(submission.envelope, forward_paths=paths))

    written = write_all(submission, Mailing(values=(("-n-", ("Ann", "Bob")),)), None)

    assert [each.envelope.forward_paths for each in written] == [(paths[0],), (paths[1],)]
    assert all(b"To: dummy@example.com\r\nCc: c@example.org\r\n" in each for each in octets(written))


def test_a_footer_alone_leaves_one_message_with_all_its_recipients(submission):
    options = SendingOptions(categories=("news",))

    [written] = write_all(submission, Mailing(footer=Footer(plain="-- bye")), options)

    assert (written.envelope, written.options) == (submission.envelope, options)
    assert written.content.octets.endswith(b"Dear -n-\r\n\r\n-- bye\r\n")
    assert b"X-SMTPAPI" not in written.content.octets


def test_arguments_and_times_are_each_recipients_own(submission):
    mailing = Mailing(to=to("x@a.test", "y@b.test"), values=(("-n-", ("Ann", "Bob")),), send_each_at=(AT, None))

    first, second = write_all(submission, mailing, SendingOptions(custom_args=(("who", "-n-"),)))

    assert (first.options.custom_args, first.options.send_at) == ((("who", "Ann"),), AT)
    assert (second.options.custom_args, second.options.send_at) == ((("who", "Bob"),), None)
    [plain] = write_all(submission, Mailing(to=to("x@a.test")), None)
    assert plain.options is None


def test_what_is_shared_goes_to_all(submission):
    later = AT + timedelta(hours=1)

    written = write_all(submission, Mailing(to=to("x@a.test", "y@b.test")), SendingOptions(send_at=later, batch_id="b"))

    assert [(each.options.send_at, each.options.batch_id) for each in written] == [(later, "b")] * 2


@pytest.mark.parametrize(
    ("mailing", "content", "reason"),
    [
        pytest.param(Mailing(values=(("-n-", ("a", "b")),)), CONTENT, "2 values for '-n-', for 1 recip", id="values"),
        pytest.param(Mailing(send_each_at=(AT, AT)), CONTENT, "send_each_at holds 2 times", id="times"),
        pytest.param(Mailing(to=to("x@a.test") * 1001), CONTENT, "1001 recipients", id="recipients"),
        pytest.param(Mailing(to=to("ü@a.test")), CONTENT, "SMTPUTF8", id="beyond ASCII"),
        pytest.param(
            Mailing(to=(NamedMailbox(address("x@a.test"), "a\r\nBcc: y@b.test"),)), CONTENT, "control character",
            id="injected field",
        ),
        pytest.param(
            Mailing(values=(("-n-", ("a\r\nBcc: y@b.test",)),)), CONTENT, "control character", id="injected by a value"
        ),
        pytest.param(
            Mailing(values=(("a", ("b" * 400,)), ("b", ("c" * 400,)), ("c", ("x",)))), CONTENT, "grow beyond",
            id="growing values",
        ),
        pytest.param(
            Mailing(footer=Footer(plain="x")), b"From: a@b.test\r\nContent-Type: text/plain; charset=x\r\n\r\nhi\r\n",
            "charset", id="charset",
        ),
        pytest.param(
            Mailing(values=(("-n-", ("a",)),)), b"From: a@b.test\r\nSubject: =?x?q?a?=\r\n\r\nhi\r\n", "Subject",
            id="subject",
        ),
        pytest.param(
            Mailing(to=to("x@a.test") * 1000), b"From: a@b.test\r\n\r\n" + b"x\r\n" * 20_000, "are to be written",
            id="too much",
        ),
        pytest.param(
            Mailing(to=to("x@a.test") * 400, values=(("-n-", ("x" * 10_000,) * 400),)),
            b"From: a@b.test\r\n\r\n" + b"-n-\r\n" * 10, "are longer than", id="too much once written",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused(submission, mailing, content, reason):
    with pytest.raises(BadInstructions, match=reason):
        write_all(replace(submission, content=MemoryContent(content)), mailing, None)
