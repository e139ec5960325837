import pytest

from gatepost.primitives.errors import Misconfigured
from gatepost.runtime.finding import Verdict
from gatepost.runtime.remote_diagnosis import check_database, check_dns
from gatepost.runtime.settings import Settings
from gatepost.standards.dns.question import Answer, AnswerStatus, Question, RecordType
from gatepost.standards.dns.records import Address, Name

SETTINGS = Settings(host_name="Mail.example.com")
FOUND_A = {("mail.example.com", "A"): (Address("192.0.2.1"),)}


class Zone:
    """A resolver that answers from a table."""

    def __init__(self, table, otherwise=AnswerStatus.NO_NAME):
        self._table, self._otherwise = table, otherwise

    async def resolve(self, question: Question) -> Answer:
        records = self._table.get((question.name, question.type.value))
        if records is None:
            return Answer(status=self._otherwise, detail="timed out")
        return Answer(status=AnswerStatus.FOUND, records=records)


@pytest.mark.parametrize(
    ("zone", "verdicts", "said"),
    [
        pytest.param(Zone({}, AnswerStatus.FAILED), [Verdict.FAIL], "timed out", id="no resolver"),
        pytest.param(Zone({}), [Verdict.FAIL], "has no address", id="no address"),
        pytest.param(Zone(FOUND_A), [Verdict.OK, Verdict.WARN], "points back to nothing", id="no pointer"),
        pytest.param(
            Zone(FOUND_A | {("1.2.0.192.in-addr.arpa", "PTR"): (Name("other.example."),)}),
            [Verdict.OK, Verdict.WARN],
            "points back to other.example",
            id="another pointer",
        ),
        pytest.param(
            Zone(FOUND_A | {("1.2.0.192.in-addr.arpa", "PTR"): (Name("MAIL.example.com."),)}),
            [Verdict.OK, Verdict.OK],
            "points back to mail.example.com",
            id="all well",
        ),
        pytest.param(
            Zone({("mail.example.com", "AAAA"): (Address("2001:db8::1"),)}),
            [Verdict.OK, Verdict.WARN],
            "2001:db8::1 points back to nothing",
            id="IPv6 only",
        ),
    ],
)
async def test_dns_is_judged(zone, verdicts, said):
    findings = await check_dns(SETTINGS, zone)

    assert [finding.verdict for finding in findings] == verdicts
    assert said in findings[-1].text


async def test_types_asked_for_are_addresses_and_pointers():
    asked = []

    class Asked(Zone):
        async def resolve(self, question):
            asked.append(question.type)
            return await super().resolve(question)

    await check_dns(SETTINGS, Asked(FOUND_A))

    assert asked == [RecordType.A, RecordType.AAAA, RecordType.PTR]


def test_database_that_opens_is_well():
    assert check_database("control.db", lambda: None).verdict is Verdict.OK


def test_database_that_does_not_open_is_told_with_its_reason():
    def refuse():
        raise Misconfigured("schema 3 is newer than this version")

    finding = check_database("control.db", refuse)

    assert (finding.verdict, finding.text) == (Verdict.FAIL, "schema 3 is newer than this version")
