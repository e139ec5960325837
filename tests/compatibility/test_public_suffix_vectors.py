"""The test vectors of publicsuffix.org: 78 cases, which the package publicsuffixlist carries beside the list.

The first case asks about no name at all (``null``), which our types leave out; the other 77 are run.
"""

import re
from importlib import resources

from gatepost.standards.address import AddressError, parse_domain
from gatepost.tenancy.senders.public_suffix import PublicSuffixes

CASES = 77
#: A name that begins with a dot is no name: it is refused before the list is asked.
REFUSED = 4


def read_cases() -> list[tuple[str, str | None]]:
    text = resources.files("publicsuffixlist").joinpath("test_psl.txt").read_text("utf-8")
    calls = re.findall(r"(?m)^checkPublicSuffix\((?:null|'([^']*)'), (?:null|'([^']*)')\);", text)
    return [(name, domain or None) for name, domain in calls if name]


def test_every_vector_has_its_organizational_domain():
    suffixes = PublicSuffixes()
    cases = read_cases()

    found = [(name, suffixes.find_organizational_domain(name)) for name, _ in cases]

    assert len(cases) == CASES
    assert found == cases


def test_every_vector_read_as_the_domain_of_an_address_has_its_organizational_domain():
    suffixes = PublicSuffixes()
    failures, refused = [], []
    for name, expected in read_cases():
        try:
            domain = parse_domain(name)
        except AddressError:
            refused.append(name)
            continue
        found = suffixes.find_organizational_domain(domain)
        if found != (expected and parse_domain(expected)):
            failures.append((name, expected, found))

    assert failures == []
    assert len(refused) == REFUSED
    assert all(name.startswith(".") for name in refused)
