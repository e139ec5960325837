import pytest

from gatepost.runtime.finding import Finding, Verdict, fail, ok, warn


@pytest.mark.parametrize(
    ("finding", "verdict", "mend"),
    [
        (ok("s", "t"), Verdict.OK, ""),
        (warn("s", "t", "m"), Verdict.WARN, "m"),
        (fail("s", "t", "m"), Verdict.FAIL, "m"),
    ],
)
def test_finding_carries_its_verdict_and_how_to_mend_it(finding, verdict, mend):
    assert finding == Finding(subject="s", verdict=verdict, text="t", mend=mend)
