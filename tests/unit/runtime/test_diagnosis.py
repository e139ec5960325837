import os
import socket
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import msgspec
import pytest

from gatepost.runtime import diagnosis
from gatepost.runtime.finding import Verdict
from gatepost.runtime.settings import TLS, Listener, Operations
from gatepost.runtime.state_dir import hold_service_lock
from gatepost.system.clock import SystemClock
from gatepost.system.signing import BatchSigning


class ClockAt:
    def __init__(self, offset):
        self._offset = offset

    def now(self):
        return datetime.now(UTC) + self._offset


def replace(settings, **changes):
    return msgspec.structs.replace(settings, **changes)


def worst(findings):
    return {(finding.verdict, finding.text) for finding in findings if finding.verdict is not Verdict.OK}


def assert_said(findings, verdict, said):
    findings = list(findings)
    assert any(finding.verdict is verdict and said in finding.text for finding in findings), findings
    assert all(finding.mend for finding in findings if finding.verdict is not Verdict.OK)


def test_certificates_that_can_be_served_are_well_but_for_being_self_signed(settings):
    assert {text.partition(" is ")[2] for _, text in worst(diagnosis.check_certificates(settings, SystemClock()))} == {
        "self-signed: clients that verify refuse it"
    }


@pytest.mark.parametrize(
    ("change", "offset", "verdict", "said"),
    [
        pytest.param({"tls": TLS()}, timedelta(), Verdict.FAIL, "none is set", id="none"),
        pytest.param({}, timedelta(days=91), Verdict.FAIL, "expired on", id="expired"),
        pytest.param({}, timedelta(days=80), Verdict.WARN, "expires in", id="expires soon"),
        pytest.param({"host_name": "b.example"}, timedelta(), Verdict.WARN, "not for b.example", id="another name"),
    ],
)
def test_certificate_trouble_is_found(settings, change, offset, verdict, said):
    assert_said(diagnosis.check_certificates(replace(settings, **change), ClockAt(offset)), verdict, said)


@pytest.mark.parametrize(
    ("mode", "said"), [(0o604, "open to everybody"), (0o660, "a group can change"), (0o602, "open to everybody")]
)
def test_secret_file_that_others_can_use_is_found(certificate, mode, said):
    certificate.private_key.chmod(mode)

    assert_said(diagnosis.check_private_file(certificate.private_key, None), Verdict.FAIL, said)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640])
def test_secret_file_for_the_service_alone_is_well(certificate, mode):
    certificate.private_key.chmod(mode)

    assert worst(diagnosis.check_private_file(certificate.private_key, None)) == set()


def test_secret_file_that_is_missing_is_found(tmp_path):
    assert_said(diagnosis.check_private_file(tmp_path / "keyring", None), Verdict.FAIL, "No such file")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the service as another user")
def test_files_of_another_user_than_the_services_are_found(settings, certificate):
    assert_said(
        diagnosis.check_private_file(certificate.private_key, "nobody"), Verdict.FAIL, "does not belong to the service"
    )
    assert_said(diagnosis.check_state_dir(replace(settings, user="nobody")), Verdict.FAIL, "belongs to root")


def test_state_directory_of_ours_alone_is_well(settings):
    assert worst(diagnosis.check_state_dir(settings)) == set()


def test_state_directory_that_others_can_enter_is_found(settings):
    settings.queue_dir.chmod(0o750)

    assert_said(diagnosis.check_state_dir(settings), Verdict.FAIL, "open to other users (mode 0750)")


def test_state_directory_that_is_missing_is_found(settings):
    settings.queue_dir.rmdir()

    assert_said(diagnosis.check_state_dir(settings), Verdict.FAIL, "No such file")


def test_directory_that_serve_makes_is_not_missed(settings):
    settings.run_dir.rmdir()

    assert worst(diagnosis.check_state_dir(settings)) == set()


def test_free_ports_are_well(settings):
    assert worst(diagnosis.check_ports(settings)) == set()


def test_port_in_use_is_found(settings):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        listener = Listener(address="127.0.0.1", port=other.getsockname()[1])

        assert_said(diagnosis.check_ports(replace(settings, listeners=(listener,))), Verdict.FAIL, "in use")


def test_port_that_another_shares_is_found(settings):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        listener = Listener(address="127.0.0.1", port=other.getsockname()[1])

        assert_said(diagnosis.check_ports(replace(settings, listeners=(listener,))), Verdict.FAIL, "somebody answers")


def test_ports_held_by_our_own_service_are_well(settings):
    lock = hold_service_lock(settings)

    findings = list(diagnosis.check_ports(settings))

    os.close(lock)
    assert [finding.text for finding in findings] == ["the service runs and holds them"]


def test_operations_open_to_the_network_are_found(settings):
    open_to_all = replace(settings, operations=Operations(address=ip_address("0.0.0.0"), port=0))

    assert_said(diagnosis.check_ports(open_to_all), Verdict.WARN, "without authentication")


def test_limits_of_this_machine_are_told(settings):
    findings = list(diagnosis.check_limits(settings))

    assert [finding.subject for finding in findings] == ["limits", "disk"]


@pytest.mark.parametrize(
    ("free", "verdict"), [(1 << 20, Verdict.FAIL), (1 << 30, Verdict.WARN), (10 << 30, Verdict.OK)]
)
def test_room_on_the_disk_is_judged(free, verdict):
    assert diagnosis.judge_room(free, "/x", reserve_octets=1 << 20).verdict is verdict


def test_disk_below_its_reserve_is_told_with_what_it_means():
    finding = diagnosis.judge_room(3 << 30, "/x", reserve_octets=4 << 30)

    assert finding.verdict is Verdict.FAIL
    assert "less than the 4096 MiB kept for delivery" in finding.text


@pytest.mark.parametrize(("hard", "verdict"), [(1024, Verdict.WARN), (-1, Verdict.OK), (1 << 20, Verdict.OK)])
def test_number_of_open_files_is_judged(settings, hard, verdict):
    assert diagnosis.judge_descriptors(hard, settings).verdict is verdict


@pytest.mark.parametrize("found", BatchSigning, ids=lambda found: found.value)
def test_how_signatures_are_made_is_told_and_is_never_wrong(found):
    finding = diagnosis.judge_signing(found)

    assert finding.verdict is Verdict.OK
    assert ("eight at a time" in finding.text) == (found is BatchSigning.AVAILABLE)


def test_clock_behind_the_newest_file_is_found(settings):
    now = datetime.now(UTC) - timedelta(hours=1)

    assert_said(diagnosis.check_clock(settings, now), Verdict.FAIL, "but a file in the state directory is from")


def test_clock_ahead_of_all_files_is_well(settings):
    assert worst(diagnosis.check_clock(settings, datetime.now(UTC))) == set()


@pytest.mark.parametrize(
    ("addresses", "verdict", "said"),
    [
        pytest.param({"192.0.2.1": "127.0.0.2"}, Verdict.OK, "192.0.2.1 leaves from 127.0.0.2", id="ours"),
        pytest.param({"192.0.2.1": "192.0.2.77"}, Verdict.FAIL, "mail of its subusers waits", id="nobody's"),
        pytest.param({"192.0.2.1": "::1"}, Verdict.FAIL, "both must be IPv4", id="two families"),
    ],
)
def test_source_addresses_must_be_this_machines(settings, addresses, verdict, said):
    changed = replace(settings, delivery=replace(settings.delivery, source_addresses=addresses))

    assert_said(diagnosis.check_source_addresses(changed), verdict, said)
