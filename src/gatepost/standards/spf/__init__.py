"""SPF: RFC 7208. It yields DNS questions; it does not ask them.

Place in the flow: before a domain counts as verified, ``evaluate`` tells whether its policy lets the relay's addresses
send for it; ``SPFRecord`` is what the DNS plan prints. Threats considered: records made to be costly (the limits of
§4.6.4, and expressions that never backtrack more than once over a text), macros that put a client's words into a name.
"""

from gatepost.standards.spf.evaluate import evaluate
from gatepost.standards.spf.record import SPFRecord, SPFSyntaxError, is_spf_record, parse_spf_record
from gatepost.standards.spf.result import SPFResult, SPFValue

__all__ = [
    "SPFRecord",
    "SPFResult",
    "SPFSyntaxError",
    "SPFValue",
    "evaluate",
    "is_spf_record",
    "parse_spf_record",
]
