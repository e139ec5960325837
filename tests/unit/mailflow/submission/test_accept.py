"""The one door: refused with nothing kept, or queued under what was checked."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from ipaddress import IPv4Address

import pytest

from gatepost.mailflow.content import MemoryContent
from gatepost.mailflow.envelope import Envelope, Origin
from gatepost.mailflow.options import SendingOptions
from gatepost.mailflow.queue.ports import StoreTrouble, StoreUnavailable
from gatepost.mailflow.submission.accept import Acceptance
from gatepost.mailflow.submission.policy import SubmissionDenial
from gatepost.mailflow.submission.submission import Submission
from gatepost.primitives.decision import ALLOW, Deny
from gatepost.primitives.errors import Transient
from gatepost.primitives.ids import AccountId
from gatepost.standards.address import Mailbox
from gatepost.system.entropy import SystemEntropy
from gatepost.tenancy.access.budget import Budget, BudgetDenial, BudgetSpent, Purse, PurseId
from gatepost.tenancy.access.principal import AccessDenial
from gatepost.tenancy.access.spending import Spent
from gatepost.tenancy.accounts.account import Monitor

NOW = datetime(2026, 11, 23, 18, 50, tzinfo=UTC)
ALICE = Mailbox(local_part="alice", domain="example.com")
BOB = Mailbox(local_part="bob", domain="example.org")


class FixedClock:
    def now(self):
        return NOW


class FixedEntropy:
    def draw(self, size):
        return b"\x07" * size


class Diary:
    """The queue and the rights of one test: what they were asked, in order, and what they answer."""

    def __init__(self):
        self.entries = []
        self.queued = []
        self.answer = None
        self.trouble = None
        self.budget = Spent()
        self.has_credits = True

    async def accept(self, message):
        self.entries.append("queue")
        if self.trouble:
            raise self.trouble
        self.queued.append(message)

    async def accept_all(self, messages, *, record=None):
        self.entries.append("queue all")
        if self.trouble:
            raise self.trouble
        self.queued += messages
        self.record = record

    async def charge(self, principal, forward_paths):
        if principal.purses:
            self.entries.append(("charge", [str(path) for path in forward_paths]))
        return self.budget

    def give_back(self, spent):
        if spent.charges:
            self.entries.append(("give back", spent))

    def spend(self, account_id, count):
        self.entries.append(("spend", account_id, count))
        return self.has_credits

    def unspend(self, account_id, count):
        self.entries.append(("unspend", account_id, count))

    def recheck(self, principal, peer):
        self.entries.append(("recheck", peer))
        return principal if self.answer is None else self.answer


@pytest.fixture
def diary():
    return Diary()


@pytest.fixture
def make_acceptance(diary, domains):
    return partial(
        Acceptance,
        queue=diary,
        rights=diary,
        budgets=diary,
        meter=diary,
        domains=domains,
        clock=FixedClock(),
        entropy=FixedEntropy(),
        own_host_names=["Relay.Example.NET."],
    )


@pytest.fixture
def acceptance(make_acceptance):
    return make_acceptance()


@pytest.fixture
def submission(principal):
    return Submission(
        principal=principal,
        envelope=Envelope(reverse_path=ALICE, forward_paths=(BOB,)),
        content=MemoryContent(b"From: Alice <alice@EXAMPLE.com>\r\n\r\nHello.\r\n"),
        origin=Origin(protocol="ESMTPSA", peer_address="192.0.2.7", greeting="client.example"),
    )


async def test_accepted_message_is_queued_under_the_checked_author(acceptance, diary, submission, principal):
    message_id = await acceptance.accept(submission)

    (message,) = diary.queued
    assert message.id == message_id
    assert len(message_id) == 22
    assert message.author == ALICE
    assert (message.account_id, message.key_id) == (principal.account_id, principal.key_id)
    assert (message.envelope, message.content, message.origin) == (
        submission.envelope,
        submission.content,
        submission.origin,
    )
    assert message.accepted_at == NOW


async def test_rights_are_looked_up_once_just_before_the_queue(acceptance, diary, submission):
    await acceptance.accept(submission)

    assert diary.entries == [("recheck", IPv4Address("192.0.2.7")), "queue"]


async def test_without_room_for_new_mail_nothing_is_judged_or_queued(make_acceptance, diary, submission):
    acceptance = make_acceptance(has_room=lambda: False)

    for accepting in (acceptance.accept(submission), acceptance.accept_all([submission])):
        with pytest.raises(StoreUnavailable) as refusal:
            await accepting
        assert refusal.value.trouble is StoreTrouble.NO_ROOM
    assert diary.entries == []


async def test_revoked_right_is_refused_and_nothing_is_queued(acceptance, diary, submission):
    diary.answer = Deny(AccessDenial.KEY_NOT_VALID)

    assert await acceptance.accept(submission) == Deny(AccessDenial.KEY_NOT_VALID)
    assert diary.queued == []


async def test_restriction_that_came_after_authentication_counts(acceptance, diary, submission, principal):
    diary.answer = replace(principal, allowed_authors=("news@example.com",))

    decision = await acceptance.accept(submission)

    assert decision == Deny(SubmissionDenial.AUTHOR_NOT_ALLOWED, "alice@example.com")
    assert diary.queued == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(
            {"content": MemoryContent(b"From: ceo@victim.example\r\n\r\n")},
            SubmissionDenial.AUTHOR_NOT_VERIFIED,
            id="author of another",
        ),
        pytest.param(
            {"content": MemoryContent(b"no header\r\n")}, SubmissionDenial.HEADER_MALFORMED, id="malformed header"
        ),
        pytest.param(
            {"envelope": Envelope(reverse_path=Mailbox(local_part="a", domain="victim.example"), forward_paths=(BOB,))},
            SubmissionDenial.REVERSE_PATH_NOT_VERIFIED,
            id="reverse-path of another",
        ),
        pytest.param(
            {
                "envelope": Envelope(
                    reverse_path=ALICE, forward_paths=(BOB, Mailbox(local_part="bob", domain="relay.example.net"))
                )
            },
            SubmissionDenial.RECIPIENT_NOT_ROUTABLE,
            id="our own name among the recipients",
        ),
    ],
)
async def test_whatever_the_way_in_did_not_check_is_checked_at_the_door(acceptance, diary, submission, change, reason):
    decision = await acceptance.accept(replace(submission, **change))

    assert isinstance(decision, Deny)
    assert decision.reason is reason
    assert diary.queued == []


async def test_store_that_cannot_commit_is_passed_on(acceptance, diary, submission):
    diary.trouble = Transient("no room")

    with pytest.raises(Transient):
        await acceptance.accept(submission)


async def test_several_messages_are_handed_to_the_queue_together_and_each_is_judged(acceptance, diary, submission):
    ids = await acceptance.accept_all([submission, submission])

    assert [message.id for message in diary.queued] == list(ids)
    assert diary.entries == [("recheck", IPv4Address("192.0.2.7"))] * 2 + ["queue all"]


async def test_the_first_refusal_among_several_is_told_with_its_place_and_nothing_is_queued(
    acceptance, diary, submission
):
    foreign = replace(submission, content=MemoryContent(b"From: <ceo@victim.example>\r\n\r\nHello.\r\n"))

    refused = await acceptance.accept_all([submission, foreign, submission])

    assert (refused.position, refused.denial.reason) == (1, SubmissionDenial.AUTHOR_NOT_VERIFIED)
    assert diary.queued == []
    assert acceptance.check_all([submission, foreign]) == refused


async def test_checking_keeps_nothing(acceptance, diary, submission):
    assert acceptance.check_all([submission]) is None
    assert diary.queued == []


async def test_trouble_of_the_queue_with_several_is_passed_on(acceptance, diary, submission):
    diary.trouble = Transient("full")

    with pytest.raises(Transient):
        await acceptance.accept_all([submission, submission])


@pytest.fixture
def metered(submission, principal):
    """A message for two recipients, of an account whose credits are limited."""
    return replace(
        submission,
        principal=replace(principal, is_metered=True),
        envelope=replace(submission.envelope, forward_paths=(BOB, BOB)),
    )


async def test_a_credit_is_spent_for_each_recipient_as_the_last_thing_before_the_queue(acceptance, diary, metered):
    await acceptance.accept_all([metered, metered])

    assert diary.entries[-2:] == [("spend", metered.principal.account_id, 4), "queue all"]


async def test_without_credits_nothing_is_queued(acceptance, diary, metered):
    diary.has_credits = False

    one, several = await acceptance.accept(metered), await acceptance.accept_all([metered, metered])

    assert one.reason is several.denial.reason is AccessDenial.CREDITS_EXCEEDED
    assert several.position == 0
    assert diary.queued == []


async def test_whether_credits_are_limited_is_asked_of_the_rights_of_now(acceptance, diary, metered, principal):
    diary.answer = principal

    await acceptance.accept(metered)

    assert "queue" in diary.entries
    assert not [each for each in diary.entries if each[0] == "spend"]


@pytest.mark.parametrize("count", [1, 2])
async def test_credits_of_what_could_not_be_stored_come_back(acceptance, diary, metered, count):
    diary.trouble = Transient("full")

    with pytest.raises(Transient):
        await (acceptance.accept(metered) if count == 1 else acceptance.accept_all([metered] * count))

    assert diary.entries[-1] == ("unspend", metered.principal.account_id, 2 * count)


async def test_checking_costs_nothing(acceptance, diary, metered):
    assert acceptance.check_all([metered]) is None
    assert not [each for each in diary.entries if each[0] == "spend"]


async def test_what_the_client_names_its_request_by_is_recorded_with_its_messages(acceptance, diary, submission):
    first, _ = await acceptance.accept_all([submission, submission], token=("name", b"f" * 32))

    record = diary.record
    assert (record.message_id, record.token, record.fingerprint) == (first, "name", b"f" * 32)
    assert (record.account_id, record.key_id) == (submission.principal.account_id, submission.principal.key_id)


async def test_all_messages_of_a_request_but_the_first_know_what_the_client_was_told(acceptance, diary, submission):
    first, _ = await acceptance.accept_all([submission, submission])

    assert [message.options and message.options.request_id for message in diary.queued] == [None, first]


@pytest.mark.parametrize(("batch", "is_taken"), [("ours", True), ("theirs", False)])
async def test_what_x_smtpapi_asks_for_goes_with_the_message_if_its_batch_is_the_accounts(
    acceptance, diary, submission, batch, is_taken
):
    acceptance._is_batch = lambda _account, name, _now: name == "ours"
    header = f'From: <ann@example.com>\r\nX-SMTPAPI: {{"category": "news", "batch_id": "{batch}"}}\r\n\r\nHello.\r\n'

    outcome = await acceptance.accept(replace(submission, content=MemoryContent(header.encode())))

    if is_taken:
        assert (diary.queued[0].options.categories, diary.queued[0].options.batch_id) == (("news",), "ours")
    else:
        assert outcome.reason is SubmissionDenial.X_SMTPAPI
        assert diary.queued == []


# ---------------------------------------------------------------- budgets and traps

PURSES = (Purse(id=PurseId("p"), account_id=AccountId("acc_ours"), budget=Budget(messages_per_day=1)),)


@pytest.fixture
def budgeted(submission, principal):
    return replace(submission, principal=replace(principal, purses=PURSES))


async def test_a_budget_is_charged_once_everything_else_but_rights_is_right(acceptance, diary, budgeted):
    await acceptance.accept(budgeted)
    refused = await acceptance.accept(replace(budgeted, content=MemoryContent(b"no header\r\n")))

    assert isinstance(refused, Deny)
    assert diary.entries == [("charge", [str(BOB)]), ("recheck", IPv4Address("192.0.2.7")), "queue"]


async def test_a_spent_budget_refuses_and_nothing_is_queued(acceptance, diary, budgeted):
    diary.budget = BudgetSpent(BudgetDenial.MESSAGES, "until noon")

    assert await acceptance.accept(budgeted) == diary.budget
    assert diary.queued == []


async def test_a_message_that_is_not_taken_gets_its_charge_back(acceptance, diary, budgeted):
    diary.budget = Spent(("a charge",))
    diary.answer = Deny(AccessDenial.KEY_NOT_VALID)
    await acceptance.accept(budgeted)
    diary.answer, diary.trouble = None, Transient("disk full")
    with pytest.raises(Transient):
        await acceptance.accept(budgeted)

    assert [entry[0] for entry in diary.entries if entry != "queue"] == ["charge", "recheck", "give back"] * 2


async def test_budgets_that_changed_on_the_way_are_asked_for_again(acceptance, diary, submission, principal):
    diary.answer = replace(principal, purses=PURSES)

    with pytest.raises(Transient, match="come again"):
        await acceptance.accept(submission)
    assert diary.queued == []


async def test_a_honey_key_sends_nothing_and_hears_of_trouble(acceptance, diary, submission, principal):
    trapped = replace(submission, principal=replace(principal, is_honey=True))

    with pytest.raises(Transient):
        await acceptance.accept(trapped)
    assert diary.queued == []
    assert acceptance.check_all([trapped]) is None


async def test_a_recipient_outside_the_keys_domains_is_refused(acceptance, diary, submission, principal):
    diary.answer = replace(principal, allowed_recipient_domains=("else.example",))

    refused = await acceptance.accept(submission)

    assert refused == Deny(SubmissionDenial.RECIPIENT_NOT_ALLOWED, f"{BOB}; only to else.example")


# ---------------------------------------------------------------- mailings


def mailing(submission, *to, body="Hello -n-.", **members):
    field = json.dumps({"to": list(to), **members})
    octets = f"From: <ann@example.com>\r\nX-SMTPAPI: {field}\r\n\r\n{body}\r\n".encode()
    return replace(submission, content=MemoryContent(octets))


async def test_a_mailing_is_queued_as_one_message_for_each_and_answered_with_the_first(acceptance, diary, submission):
    offered = mailing(submission, "a@x.test", "b@y.test", sub={"-n-": ["Ann", "Bob"]}, category="news")

    message_id = await acceptance.accept(offered)

    first, second = diary.queued
    assert diary.entries[-1] == "queue all"
    assert (message_id, second.options.request_id) == (first.id, first.id)
    assert [[str(path) for path in each.envelope.forward_paths] for each in diary.queued] == [
        ["a@x.test"],
        ["b@y.test"],
    ]
    assert [each.author.local_part for each in diary.queued] == ["ann", "ann"]
    assert [each.content.octets.endswith(end) for each, end in ((first, b"Ann.\r\n"), (second, b"Bob.\r\n"))] == [
        True
    ] * 2
    assert second.options.categories == ("news",)


@pytest.mark.parametrize(
    ("to", "limits", "reason"),
    [
        pytest.param("b@localhost", {}, SubmissionDenial.RECIPIENT_NOT_ROUTABLE, id="not routable"),
        pytest.param("b@relay.example.net", {}, SubmissionDenial.RECIPIENT_NOT_ROUTABLE, id="ourselves"),
        pytest.param(
            "b@y.test", {"allowed_recipient_domains": ("x.test", BOB.domain)}, SubmissionDenial.RECIPIENT_NOT_ALLOWED,
            id="not the key's recipient domain",
        ),
        pytest.param("b@", {}, SubmissionDenial.X_SMTPAPI, id="no address"),
    ],
)  # fmt: skip
async def test_one_recipient_that_may_not_be_keeps_the_whole_mailing_out(
    acceptance, diary, submission, to, limits, reason
):
    offered = mailing(replace(submission, principal=replace(submission.principal, **limits)), "a@x.test", to)

    outcome = await acceptance.accept(offered)

    assert outcome.reason is reason
    assert diary.queued == []


async def test_each_recipient_of_a_mailing_is_charged_to_budgets_and_credits(acceptance, diary, budgeted):
    metered = replace(budgeted, principal=replace(budgeted.principal, is_metered=True))

    await acceptance.accept(mailing(metered, "a@x.test", "b@y.test", "c@z.test"))

    assert ("charge", ["a@x.test", "b@y.test", "c@z.test"]) in diary.entries
    assert ("spend", budgeted.principal.account_id, 3) in diary.entries


async def test_each_message_of_a_mailing_counts_against_the_rates(make_acceptance, diary, submission):
    taken = []

    class Rate:
        def take(self, principal, peer, now, *, messages=0, recipients=0):
            taken.append((messages, recipients))
            return Deny(SubmissionDenial.LOOP) if messages > 2 else ALLOW

    acceptance = make_acceptance(rate=Rate())

    await acceptance.accept(mailing(submission, "a@x.test", "b@y.test"))
    refused = await acceptance.accept(mailing(submission, "a@x.test", "b@y.test", "c@z.test"))

    assert taken == [(2, 2), (3, 3)]
    assert (isinstance(refused, Deny), len(diary.queued)) == (True, 2)


async def test_a_mailing_goes_into_no_batch_of_others(acceptance, diary, submission):
    acceptance._is_batch = lambda _account, name, _now: name == "ours"

    refused = await acceptance.accept(mailing(submission, "a@x.test", batch_id="theirs"))
    await acceptance.accept(mailing(submission, "a@x.test", batch_id="ours"))

    assert refused.reason is SubmissionDenial.X_SMTPAPI
    assert [message.options.batch_id for message in diary.queued] == ["ours"]


async def test_a_revoked_key_sends_no_mailing(acceptance, diary, submission):
    diary.answer = Deny(AccessDenial.KEY_NOT_VALID)

    outcome = await acceptance.accept(mailing(submission, "a@x.test"))

    assert (outcome.reason, diary.queued) == (AccessDenial.KEY_NOT_VALID, [])


# ---------------------------------------------------------------- copies for a monitor

WATCHER = Mailbox(local_part="watch", domain="parent.example")


@pytest.fixture
def monitored(make_acceptance, principal):
    """A principal all or hardly any of whose messages are copied, and a door that draws other ids."""

    def monitored(frequency):
        return replace(principal, is_metered=True, monitor=Monitor(mailbox=WATCHER, frequency=frequency))

    return monitored, make_acceptance(entropy=SystemEntropy())


async def test_a_message_is_copied_to_the_monitor_with_it_and_at_the_price_of_one(diary, submission, monitored):
    watched, acceptance = monitored

    message_id = await acceptance.accept(replace(submission, principal=watched(1)))

    original, copy = diary.queued
    assert diary.entries[-1] == "queue all"
    assert (original.id, original.envelope) == (message_id, submission.envelope)
    assert copy.envelope == replace(submission.envelope, forward_paths=(WATCHER,))
    assert (copy.content, copy.author, copy.options.request_id) == (original.content, original.author, message_id)
    assert copy.id != original.id
    assert ("spend", watched(1).account_id, 2) in diary.entries


async def test_a_request_is_answered_with_its_own_messages_and_copies_say_nothing_of_their_own(
    diary, submission, monitored
):
    watched, acceptance = monitored
    options = SendingOptions(categories=("news",), custom_args=(("a", "b"),), batch_id="x")

    ids = await acceptance.accept_all([replace(submission, principal=watched(1), options=options)] * 2)

    assert [message.id for message in diary.queued[:2]] == list(ids)
    assert [message.options for message in diary.queued[2:]] == [SendingOptions(batch_id="x", request_id=ids[0])] * 2


async def test_of_many_messages_about_every_nth_is_copied(diary, submission, monitored):
    watched, acceptance = monitored
    offered = replace(submission, principal=watched(10))

    for _ in range(1000):
        await acceptance.accept(offered)

    # Six standard deviations around 100.
    assert 43 < len(diary.queued) - 1000 < 157


async def test_a_large_content_is_in_memory_where_it_is_copied(diary, submission, monitored):
    class OnDisk:
        size_octets = submission.content.size_octets
        head = submission.content.head
        chunks = submission.content.chunks

    watched, acceptance = monitored

    await acceptance.accept(replace(submission, principal=watched(1), content=OnDisk()))

    assert [message.content for message in diary.queued] == [submission.content] * 2
