from gatepost.tenancy.accounts.sending_limits import UNLIMITED, SendingLimits


def test_what_is_not_set_for_an_account_is_as_the_service_has_it() -> None:
    own = SendingLimits(messages_per_minute=5, recipients_per_hour=0)
    default = SendingLimits(messages_per_minute=100, messages_per_hour=1000, recipients_per_hour=9)

    assert own.or_else(default) == SendingLimits(messages_per_minute=5, messages_per_hour=1000, recipients_per_hour=0)
    assert UNLIMITED.or_else(default) == default
