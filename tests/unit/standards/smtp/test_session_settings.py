from gatepost.standards.smtp.session_settings import SessionSettings


def test_by_default_a_listener_is_one_for_submission_of_30_mebibytes() -> None:
    settings = SessionSettings(host_name="relay.example")

    assert settings.takes_auth
    assert settings.offers_starttls
    assert settings.max_size_octets == 30 * 1024 * 1024
