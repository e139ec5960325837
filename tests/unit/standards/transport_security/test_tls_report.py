import pytest

from gatepost.standards.transport_security.tls_report import TLSReportError, parse_record


def test_several_places_are_read():
    text = "v=TLSRPTv1; rua=mailto:tls@example.com, https://reports.example.com/v1"

    assert parse_record(text) == ("mailto:tls@example.com", "https://reports.example.com/v1")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("v=TLSRPTv1", "no rua=", id="none"),
        pytest.param("v=TLSRPTv1; rua=", "no rua=", id="empty"),
        pytest.param("v=TLSRPTv1; rua=tls@example.com", "mailto:", id="an address alone"),
        pytest.param("v=TLSRPTv1; rua=mailto:tls", "mailto:", id="no address"),
        pytest.param("v=TLSRPTv1; rua=mailto:tls@example.com,http://example.com", "mailto:", id="not https"),
        pytest.param("v=TLSRPTv1; rua=https://[", "mailto:", id="no URL"),
        pytest.param("v=TLSRPT1; rua=mailto:tls@example.com", "begin with", id="another version"),
    ],
)
def test_what_senders_cannot_use_is_refused(text, reason):
    with pytest.raises(TLSReportError, match=reason):
        parse_record(text)
