"""The service's own mail: through the one door, in a name that somebody has verified, under no key."""

from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from gatepost.mailflow.submission.accept import Acceptance
from gatepost.mailflow.submission.policy import SubmissionDenial
from gatepost.mailflow.submission.system_mail import SYSTEM_KEY, OwnRights, QueuedSystemMail
from gatepost.primitives.decision import Deny
from gatepost.primitives.errors import Misconfigured, Transient
from gatepost.standards.address import AddressError
from gatepost.tenancy.access.spending import NOTHING
from gatepost.tenancy.accounts.person_ports import AddressRefused


class Clock:
    def now(self):
        return datetime(2026, 11, 23, tzinfo=UTC)


class Entropy:
    def draw(self, size):
        return b"\x07" * size


class Queue:
    def __init__(self):
        self.queued = []
        self.trouble = None

    async def accept(self, message):
        if self.trouble:
            raise self.trouble
        self.queued.append(message)


class Free:
    """Neither credits nor budgets limit the service's own mail."""

    async def charge(self, principal, forward_paths):
        assert not principal.purses
        return NOTHING

    def give_back(self, charged):
        assert charged is NOTHING


@pytest.fixture
def queue():
    return Queue()


@pytest.fixture
def mail(queue, domains):
    refused = []

    def mail(author="accounts@example.com"):
        door = Acceptance(
            queue=queue,
            rights=OwnRights(),
            meter=Free(),
            budgets=Free(),
            domains=domains,
            clock=Clock(),
            entropy=Entropy(),
        )
        made = QueuedSystemMail(author=author, door=door, domains=domains, entropy=Entropy(), on_refusal=refused.append)
        made.refused = refused
        return made

    return mail


async def test_a_letter_is_queued_for_the_account_that_verified_its_author(mail, queue):
    await mail().send("bob@example.org", "Hello Bob", "A line.\n")

    [message] = queue.queued
    octets = message.content.head()
    assert (message.account_id, message.key_id) == ("acc_ours", SYSTEM_KEY)
    assert str(message.author) == str(message.envelope.reverse_path) == "accounts@example.com"
    assert [str(each) for each in message.envelope.forward_paths] == ["bob@example.org"]
    assert b"Subject: Hello Bob\r\n" in octets
    assert b"Auto-Submitted: auto-generated\r\n" in octets


@pytest.mark.parametrize(
    ("author", "text"),
    [(None, r"set `author` in \[system_mail\]"), ("a@nobodys.example", "no account has verified")],
)
async def test_without_a_name_of_its_own_it_says_what_to_set(mail, queue, author, text):
    with pytest.raises(Misconfigured, match=text):
        await mail(author).send("bob@example.org", "Hello", "A line.\n")
    assert queue.queued == []


async def test_an_address_that_takes_no_mail_is_not_the_operators_fault(mail, queue):
    made = mail()

    with pytest.raises(AddressRefused, match="not routable"):
        await made.send("bob@localhost", "Hello", "A line.\n")
    assert (made.refused, queue.queued) == ([], [])


class ClosedDoor:
    async def accept(self, submission):
        return Deny(SubmissionDenial.LOOP)


async def test_whatever_else_the_door_refuses_is_told_to_the_operator(domains):
    refused = []
    made = QueuedSystemMail(
        author="accounts@example.com", door=ClosedDoor(), domains=domains, entropy=Entropy(),
        on_refusal=refused.append,
    )  # fmt: skip

    with pytest.raises(Misconfigured) as raised:
        await made.send("bob@example.org", "Hello", "A line.\n")
    assert not isinstance(raised.value, AddressRefused)
    assert refused == [SubmissionDenial.LOOP.value]


async def test_a_queue_that_takes_nothing_is_told_as_passing(mail, queue):
    queue.trouble = Transient("disk full")

    with pytest.raises(Transient):
        await mail().send("bob@example.org", "Hello", "A line.\n")


def test_nobody_elses_mail_goes_by_these_rights(principal):
    with pytest.raises(AssertionError):
        OwnRights().recheck(principal, ip_address("127.0.0.1"))


def test_an_author_that_is_no_address_is_refused_at_the_start(mail):
    with pytest.raises(AddressError):
        mail("nobody")
