from dataclasses import replace

from gatepost.cli.demo.inbox.verdict import check_message, judge
from gatepost.standards.address import Mailbox
from gatepost.standards.dkim import Verification, VerificationStatus
from gatepost.standards.dns.question import Answer, AnswerStatus, RecordType
from gatepost.standards.dns.records import TXT
from gatepost.standards.spf import SPFResult, SPFValue


class Resolver:
    """Knows one SPF record."""

    async def resolve(self, question):
        if (question.name, question.type) == ("example.test", RecordType.TXT):
            return Answer(status=AnswerStatus.FOUND, records=(TXT(text=b"v=spf1 ip4:127.0.0.1 -all"),))
        return Answer(status=AnswerStatus.NO_NAME)


async def test_unsigned_message_from_a_permitted_address(store_message):
    delivery = store_message().delivery

    verdict = await check_message(
        b"From: a@example.test\r\n\r\nx\r\n",
        delivery,
        Mailbox(local_part="ann", domain="example.test"),
        resolver=Resolver(),
        host_name="mx.test",
    )

    assert (verdict.dkim, verdict.spf) == ((), "pass")
    assert verdict.authentication_results == "mx.test; dkim=none; spf=pass smtp.mailfrom=ann@example.test"


async def test_address_that_is_not_permitted_fails(store_message):
    delivery = replace(store_message().delivery, peer_address="192.0.2.1")
    sender = Mailbox(local_part="ann", domain="example.test")

    verdict = await check_message(b"A: b\r\n\r\n", delivery, sender, resolver=Resolver(), host_name="mx.test")

    assert verdict.spf == "fail"


def test_field_that_is_no_signature_is_told_without_names(store_message):
    unreadable = Verification(status=VerificationStatus.NEUTRAL, reason="not a signature")

    verdict = judge((unreadable,), SPFResult(value=SPFValue.NONE), delivery=store_message().delivery, host_name="mx")

    assert not verdict.dkim[0].is_pass
    assert verdict.authentication_results.startswith("mx; dkim=neutral; spf=none ")


def test_null_reverse_path_is_judged_by_the_greeting(store_message):
    delivery = replace(store_message().delivery, mail_from="")

    verdict = judge((), SPFResult(value=SPFValue.NEUTRAL), delivery=delivery, host_name="mx")

    assert verdict.authentication_results.endswith("spf=neutral smtp.helo=relay.test")
