import pytest

from gatepost.standards.dmarc.alignment import is_aligned
from gatepost.standards.dmarc.record import AlignmentMode
from gatepost.standards.dmarc.tree_walk import walk_tree
from gatepost.standards.dns.question import AnswerStatus
from gatepost.standards.dns.records import TXT

RELAXED, STRICT = AlignmentMode.RELAXED, AlignmentMode.STRICT
ZONE = {
    ("_dmarc.example.com", "TXT"): (TXT(b"v=DMARC1; p=reject"),),
    ("_dmarc.island.example.com", "TXT"): (TXT(b"v=DMARC1; p=reject; psd=n"),),
    ("_dmarc.silent.test", "TXT"): AnswerStatus.FAILED,
}


@pytest.mark.parametrize(
    ("author", "authenticated", "mode", "aligned"),
    [
        ("example.com", "example.com", STRICT, True),
        ("example.com", "EXAMPLE.com.", STRICT, True),
        ("news.example.com", "example.com", STRICT, False),
        ("news.example.com", "example.com", RELAXED, True),
        ("example.com", "bounce.example.com", RELAXED, True),
        ("news.example.com", "bounce.example.com", RELAXED, True),
        ("example.com", "other.test", RELAXED, False),
        ("a.island.example.com", "example.com", RELAXED, False),
        ("a.island.example.com", "b.island.example.com", RELAXED, True),
        pytest.param("news.other.test", "other.test", RELAXED, False, id="without a record each name stands alone"),
        pytest.param("example.com", "silent.test", RELAXED, False, id="a failed walk aligns with nothing"),
    ],
)
def test_alignment(ask, author, authenticated, mode, aligned):
    walk = ask(walk_tree(author), ZONE)

    assert ask(is_aligned(walk, authenticated, mode), ZONE) is aligned
