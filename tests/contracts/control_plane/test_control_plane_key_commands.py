"""``gatepost key``: kinds, groups, limits, rotation, leaked and honey keys, on the real control plane."""

from datetime import timedelta
from ipaddress import ip_address

import pytest

from gatepost.cli.key import key as key_group
from gatepost.primitives.ids import KeyId
from gatepost.primitives.secret import Secret
from gatepost.runtime.key_upkeep import keep_up_keys
from gatepost.telemetry.metrics import Metrics
from gatepost.tenancy.access.budget import Budget
from gatepost.tenancy.access.honey import HoneyAlarm
from gatepost.tenancy.access.scope import BILLING, FULL_ACCESS
from gatepost.tenancy.audit.entry import Act

PEER = ip_address("192.0.2.1")


@pytest.fixture
def create(commands, account):
    def create(*options):
        result = commands.run(key_group, "create", "--account", "acme", "--name", "app", *options)
        assert result.exit_code == 0, result.output
        return result.stdout.strip()

    return create


def grant_of(control_plane, text):
    return control_plane.keys.resolve(KeyId(text.split(".")[1])).grant


@pytest.mark.parametrize(
    ("options", "scopes"),
    [
        (["--full"], FULL_ACCESS),
        (["--billing"], BILLING),
        (["--group", "mail send=read", "--scope", "stats.read"], {"mail.batch.read", "stats.read"}),
    ],
)
def test_a_key_of_each_kind_is_made(create, control_plane, options, scopes):
    assert grant_of(control_plane, create(*options)).scopes == scopes


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ([], "say what the key may do"),
        (["--full", "--scope", "mail.send"], "say what the key may do"),
        (["--scope", "mail.send", "--scope", "billing.read"], "make two keys"),
        (["--group", "Mail Send"], "Mail Send=full"),
        (["--group", "Post=full"], "is no group of scopes"),
        (["--honey", "--full"], "only have scopes of the group Mail Send"),
        (["--scope", "mail.send", "--to", "no domain"], "example.com"),
    ],
)
def test_what_no_key_can_be_is_refused_with_what_to_do(commands, account, options, text):
    result = commands.run(key_group, "create", "--account", "acme", "--name", "app", *options)

    assert result.exit_code != 0
    assert text in result.output


def test_a_key_has_budgets_and_recipients_and_they_are_shown_and_narrowed(commands, create, control_plane):
    text = create("--scope", "mail.send", "--to", "dest.test", "--messages-per-hour", "10")
    key_id = text.split(".")[1]

    narrowed = commands.run(key_group, "narrow", key_id, "--messages-per-hour", "5", "--new-recipients-per-day", "2")
    widened = commands.run(key_group, "narrow", key_id, "--messages-per-hour", "6")

    grant = grant_of(control_plane, text)
    assert (narrowed.exit_code, widened.exit_code) == (0, 1)
    assert grant.budget.budget == Budget(messages_per_hour=5, new_recipients_per_day=2)
    assert grant.allowed_recipient_domains == ("dest.test",)
    assert "messages_per_hour=5, new_recipients_per_day=2" in commands.run(key_group, "show", key_id).stdout


def test_the_groups_are_listed(commands):
    assert "Mail Send" in commands.run(key_group, "scopes").stdout
    assert '"name": "Mail Send"' in commands.run(key_group, "scopes", "--json").stdout


def test_a_key_is_rotated(commands, create, control_plane, clock):
    old = create("--scope", "mail.send", "--expires", "10d")

    result = commands.run(key_group, "rotate", old, "--overlap", "2h", "--expires", "90d")

    new = result.stdout.strip()
    assert result.exit_code == 0, result.output
    assert grant_of(control_plane, old).expires_at == clock.now() + timedelta(hours=2)
    assert grant_of(control_plane, new).expires_at == clock.now() + timedelta(days=90)
    assert [asked[0] for asked in commands.mail_workers.asked] == ["refresh"]


@pytest.mark.parametrize("overlap", ["31d", "soon"])
def test_an_overlap_that_cannot_be_is_refused(commands, create, overlap):
    result = commands.run(key_group, "rotate", create("--scope", "mail.send"), "--overlap", overlap)

    assert result.exit_code == 2


def test_a_revoked_key_is_not_rotated(commands, create):
    old = create("--scope", "mail.send")
    commands.run(key_group, "revoke", old)

    result = commands.run(key_group, "rotate", old)

    assert (result.exit_code, "key not valid" in result.output) == (1, True)


def test_every_key_in_a_text_is_revoked(commands, create, control_plane, clock):
    one, two, other = (create("--scope", "mail.send") for _ in range(3))
    forged = one[:26] + other[26:]

    result = commands.run(key_group, "leaked", stdin=f"a {one}\nkey='{two}' {two} {forged} {other[:-1]}")

    assert result.exit_code == 0, result.output
    assert [control_plane.keys.resolve(KeyId(key.split(".")[1])).revoked_at is None for key in (one, two, other)] == [
        False, False, True,
    ]  # fmt: skip
    assert "2 keys revoked; 0 texts" in result.stderr
    assert one.split(".")[2] not in result.output
    assert [asked[0] for asked in commands.mail_workers.asked] == ["hold", "hold"]


# ---------------------------------------------------------------- honey keys


@pytest.fixture
def alarm(control_plane):
    return HoneyAlarm(control_plane.recorder_for, Metrics())


def use(control_plane, text, peer=PEER, client="EHLO thief"):
    return control_plane.principals.authenticate("apikey", Secret(text.encode()), peer, client=client)


def alarms(control_plane, account):
    entries = control_plane.audit.list_after(account.id, 0, 1000)
    return [entry.event for entry in entries if entry.event.act is Act.HONEY_KEY_USED]


def test_the_use_of_a_honey_key_is_an_alarm_once_a_minute_and_address(create, control_plane, account, alarm, clock):
    trap, plain = create("--scope", "mail.send", "--honey"), create("--scope", "mail.send")

    assert use(control_plane, trap).is_honey
    use(control_plane, trap)
    use(control_plane, trap, ip_address("::ffff:192.0.2.9"))
    use(control_plane, plain)
    alarm.raise_for(control_plane.principals.take_honey_uses())
    use(control_plane, trap)
    alarm.raise_for(control_plane.principals.take_honey_uses())
    clock.advance(minutes=1)
    use(control_plane, trap)
    alarm.raise_for(control_plane.principals.take_honey_uses())

    raised = alarms(control_plane, account)
    assert [(each.actor.origin, each.after["times"]) for each in raised] == [
        ("192.0.2.1", "2"), ("192.0.2.9", "1"), ("192.0.2.1", "1"),
    ]  # fmt: skip
    assert {(each.actor.id, each.after["client"]) for each in raised} == {(trap.split(".")[1], "EHLO thief")}


def test_a_honey_key_that_may_not_be_used_from_there_raises_the_alarm_too(create, control_plane, account, alarm):
    trap = create("--scope", "mail.send", "--honey", "--allow-ip", "10.0.0.0/8")

    assert not use(control_plane, trap)
    alarm.raise_for(control_plane.principals.take_honey_uses())

    assert len(alarms(control_plane, account)) == 1


def test_a_wrong_secret_raises_no_alarm(create, control_plane):
    trap, other = create("--scope", "mail.send", "--honey"), create("--scope", "mail.send")

    use(control_plane, trap[:26] + other[26:])

    assert control_plane.principals.take_honey_uses() == []


async def test_a_worker_keeps_up_its_keys(create, control_plane, account):
    use(control_plane, create("--scope", "mail.send", "--honey"))

    for periodic in keep_up_keys(control_plane, Metrics()):
        await periodic.work()

    assert len(alarms(control_plane, account)) == 1


def test_the_operator_sees_which_key_is_the_trap(commands, create):
    trap = create("--scope", "mail.send", "--honey")

    assert "honey" in commands.run(key_group, "show", trap).stdout
