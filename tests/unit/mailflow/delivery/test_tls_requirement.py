import pytest

from gatepost.mailflow.delivery.tls_requirement import TLSRequirement, decide_fallback
from gatepost.standards.smtp.transaction import FailureKind, SessionFailure, Stage


@pytest.mark.parametrize("requirement", list(TLSRequirement))
@pytest.mark.parametrize("kind", list(FailureKind))
def test_only_a_failed_handshake_under_opportunistic_tls_is_tried_again_in_the_clear(
    requirement: TLSRequirement, kind: FailureKind
) -> None:
    expected = TLSRequirement.NONE if (requirement, kind) == (TLSRequirement.OPPORTUNISTIC, FailureKind.TLS) else None

    assert decide_fallback(requirement, SessionFailure(kind=kind, stage=Stage.HANDSHAKE)) is expected
