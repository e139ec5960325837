"""Does an authenticated domain agree with the author's? (RFC 9989 §4.4)."""

from collections.abc import Generator

from gatepost.standards.dmarc.record import AlignmentMode
from gatepost.standards.dmarc.tree_walk import TreeWalk, walk_tree
from gatepost.standards.dns.names import normalize
from gatepost.standards.dns.question import Answer, Question


def is_aligned(author: TreeWalk, authenticated: str, mode: AlignmentMode) -> Generator[Question, Answer, bool]:
    """Say whether the domain that SPF or DKIM has authenticated speaks for the author's domain.

    Strict: they are the same. Relaxed: they have the same organisational domain.

    Args:
        author: The walk from the author's domain.
        authenticated: The reverse-path's domain (SPF), or ``d=`` of a signature that verified.
        mode: As the author's record has it for that mechanism.

    Yields:
        Questions of a second walk, where names differ and the mode is relaxed. A walk that fails aligns with nothing.
    """
    name = normalize(authenticated)
    if name == author.start:
        return True
    if mode is AlignmentMode.STRICT:
        return False
    other = yield from walk_tree(name)
    if author.failure or other.failure:
        return False
    return other.organizational_domain == author.organizational_domain
