"""dnspython's records as ours."""

from collections.abc import Callable
from typing import Any

import dns.name
import dns.rrset

from gatepost.standards.dns.question import Answer, AnswerStatus, RecordType
from gatepost.standards.dns.records import MX, TLSA, TXT, Address, Name, Record

MAX_RECORDS = 1000
"""Records of one answer that are read."""


def read_records(rrset: dns.rrset.RRset, kind: RecordType, *, authenticated: bool) -> Answer:
    """Return the answer that a set of records is."""
    read = _READERS[kind]
    records = tuple([read(record) for record in list(rrset)[:MAX_RECORDS]])
    return Answer(status=AnswerStatus.FOUND, records=records, authenticated=authenticated)


def _text(name: dns.name.Name) -> str:
    """Lower case, no trailing dot; the root is ""."""
    return name.to_text(omit_final_dot=True).lower() if name != dns.name.root else ""


# dnspython's records have their fields as untyped attributes; each reader knows those of its type.
_READERS: dict[RecordType, Callable[[Any], Record]] = {
    RecordType.A: lambda record: Address(record.address),
    RecordType.AAAA: lambda record: Address(record.address),
    RecordType.MX: lambda record: MX(record.preference, _text(record.exchange)),
    RecordType.TXT: lambda record: TXT(b"".join(record.strings)),
    RecordType.CNAME: lambda record: Name(_text(record.target)),
    RecordType.PTR: lambda record: Name(_text(record.target)),
    RecordType.NS: lambda record: Name(_text(record.target)),
    RecordType.TLSA: lambda record: TLSA(record.usage, record.selector, record.mtype, record.cert),
}
