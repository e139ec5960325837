"""DMARC: RFC 9989, which replaced RFC 7489. It yields DNS questions; it does not ask them.

Place in the flow: the domain doctor tells by it what receivers will do with a domain's mail, and a single sender is
warned where it would fail. Threats considered: records made to be costly (a walk asks eight times at most), and several
records at one name (none counts).
"""

from gatepost.standards.dmarc.alignment import is_aligned
from gatepost.standards.dmarc.record import (
    AlignmentMode,
    DMARCRecord,
    DMARCSyntaxError,
    Policy,
    is_dmarc_record,
    parse_dmarc_record,
)
from gatepost.standards.dmarc.tree_walk import TreeWalk, find_applied_policy, walk_tree

__all__ = [
    "AlignmentMode",
    "DMARCRecord",
    "DMARCSyntaxError",
    "Policy",
    "TreeWalk",
    "find_applied_policy",
    "is_aligned",
    "is_dmarc_record",
    "parse_dmarc_record",
    "walk_tree",
]
