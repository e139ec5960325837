"""Every module with behaviour has the unit test of its name, and every unit test its module."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "gatepost"
UNIT = ROOT / "tests" / "unit"

_CONTROL_PLANE = "tests/contracts/control_plane/test_control_plane_"
_OPERATOR = "tests/contracts/operator_commands/test_"

# What cannot be shown without a disk, a socket or a process: the test that shows it. A folder stands for its modules.
ELSEWHERE = {
    "__main__.py": "tests/scenarios/test_serve.py",
    "cli/access.py": f"{_CONTROL_PLANE}ip_access.py",
    "cli/account.py": f"{_CONTROL_PLANE}commands.py",
    "cli/arguments.py": f"{_CONTROL_PLANE}commands.py",
    "cli/audit.py": f"{_CONTROL_PLANE}audit_commands.py",
    "cli/books.py": f"{_OPERATOR}books_command.py",
    "cli/certainty.py": f"{_CONTROL_PLANE}commands.py",
    "cli/demo/": "tests/scenarios/test_demo.py",
    "cli/dkim.py": f"{_CONTROL_PLANE}rotation.py",
    "cli/dns.py": f"{_CONTROL_PLANE}rotation.py",
    "cli/domain.py": f"{_CONTROL_PLANE}domain_commands.py",
    "cli/domain_review.py": f"{_CONTROL_PLANE}sender_commands.py",
    "cli/explain.py": f"{_CONTROL_PLANE}sender_commands.py",
    "cli/event_text.py": f"{_OPERATOR}events_command.py",
    "cli/events.py": f"{_OPERATOR}events_command.py",
    "cli/key.py": f"{_CONTROL_PLANE}commands.py",
    "cli/key_leaked.py": f"{_CONTROL_PLANE}key_commands.py",
    "cli/key_making.py": f"{_CONTROL_PLANE}key_commands.py",
    "cli/key_options.py": f"{_CONTROL_PLANE}key_commands.py",
    "cli/limit.py": f"{_CONTROL_PLANE}ip_access.py",
    "cli/migrate.py": f"{_CONTROL_PLANE}commands.py",
    "cli/message.py": f"{_OPERATOR}message_commands.py",
    "cli/message_report.py": f"{_OPERATOR}message_commands.py",
    "cli/names.py": f"{_OPERATOR}queue_commands.py",
    "cli/predicate.py": f"{_OPERATOR}queue_commands.py",
    "cli/queue.py": f"{_OPERATOR}queue_commands.py",
    "cli/teammate.py": f"{_CONTROL_PLANE}people_commands.py",
    "cli/serve.py": "tests/scenarios/test_serve.py",
    "cli/worker.py": "tests/scenarios/test_serve.py",
    "entrypoints/api/app.py": "tests/contracts/api/test_api_requests.py",
    "entrypoints/api/connection.py": "tests/scenarios/test_api.py",
    "entrypoints/api/endpoint.py": "tests/contracts/api/test_api_requests.py",
    "entrypoints/api/leaked_keys.py": "tests/contracts/api/test_api_key_limits.py",
    "entrypoints/api/listener.py": "tests/scenarios/test_api.py",
    "entrypoints/api/judged_act.py": "tests/contracts/api/test_api_subusers.py",
    "entrypoints/api/letters.py": "tests/contracts/api/test_api_teammates.py",
    "entrypoints/api/operation.py": "tests/contracts/api/test_api_on_behalf.py",
    "entrypoints/api/session_answer.py": "tests/contracts/api/test_api_sessions.py",
    "entrypoints/api/v3/verified_sender_bodies.py": "tests/contracts/api/test_api_verified_senders.py",
    "entrypoints/api/v3/verified_senders.py": "tests/contracts/api/test_api_verified_senders.py",
    "entrypoints/api/v3/subuser_monitor.py": "tests/contracts/api/test_api_subuser_monitor.py",
    "entrypoints/api/v3/subuser_stat_bodies.py": "tests/contracts/api/test_api_subuser_stats.py",
    "entrypoints/api/v3/subuser_stats.py": "tests/contracts/api/test_api_subuser_stats.py",
    "entrypoints/api/v3/password_resets.py": "tests/contracts/api/test_api_sessions.py",
    "entrypoints/api/v3/sessions.py": "tests/contracts/api/test_api_sessions.py",
    "entrypoints/api/v3/subusers.py": "tests/contracts/api/test_api_subusers.py",
    "entrypoints/api/v3/subuser_credits.py": "tests/contracts/api/test_api_subuser_credits.py",
    "entrypoints/api/v3/teammates.py": "tests/contracts/api/test_api_teammates.py",
    "entrypoints/api/v3/user.py": "tests/contracts/api/test_api_teammates.py",
    "entrypoints/api/v3/user_factors.py": "tests/contracts/api/test_api_sessions.py",
    "entrypoints/api/v3/access_settings.py": "tests/contracts/api/test_api_access_settings.py",
    "entrypoints/api/v3/api_keys.py": "tests/contracts/api/test_api_keys.py",
    "entrypoints/api/idempotency.py": "tests/contracts/api/test_api_idempotency.py",
    "entrypoints/api/v3/mail_batch.py": "tests/contracts/api/test_api_scheduled_sends.py",
    "entrypoints/api/v3/mail_send.py": "tests/contracts/api/test_api_mail_send.py",
    "entrypoints/api/v3/scheduled_sends.py": "tests/contracts/api/test_api_scheduled_sends.py",
    "entrypoints/api/v3/api_keys_body.py": "tests/contracts/api/test_api_key_limits.py",
    "entrypoints/api/v3/api_keys_checks.py": "tests/contracts/api/test_api_key_limits.py",
    "entrypoints/api/v3/scopes.py": "tests/contracts/api/test_api_keys.py",
    "entrypoints/api/v3/whitelabel.py": "tests/contracts/api/test_api_whitelabel.py",
    "entrypoints/api/v3/whitelabel_bodies.py": "tests/contracts/api/test_api_whitelabel.py",
    "entrypoints/api/v3/whitelabel_domains.py": "tests/contracts/api/test_api_whitelabel.py",
    "entrypoints/api/v3/whitelabel_ips.py": "tests/contracts/api/test_api_whitelabel.py",
    "entrypoints/api/v3/whitelabel_lending.py": "tests/contracts/api/test_api_whitelabel.py",
    "entrypoints/api/v3/whitelabel_dns_email.py": "tests/contracts/api/test_api_whitelabel_links.py",
    "entrypoints/api/v3/whitelabel_link_lending.py": "tests/contracts/api/test_api_whitelabel_links.py",
    "entrypoints/api/v3/whitelabel_links.py": "tests/contracts/api/test_api_whitelabel_links.py",
    "entrypoints/smtp/listener.py": "tests/scenarios/submission/test_submission_connection.py",
    "mailflow/content.py": "tests/contracts/test_content_spool.py",
    "mailflow/delivery/attempt.py": "tests/contracts/delivery/test_worker.py",
    "mailflow/delivery/ports.py": "tests/contracts/delivery/test_delivery_connection.py",
    "mailflow/delivery/router.py": "tests/contracts/delivery/test_worker.py",
    "mailflow/delivery/worker.py": "tests/contracts/delivery/test_worker.py",
    "mailflow/queue/audited_batches.py": "tests/contracts/api/test_api_scheduled_sends.py",
    "mailflow/queue/batches.py": f"{_CONTROL_PLANE}batches.py",
    "mailflow/queue/ports.py": "tests/contracts/test_queue_faults.py",
    "mailflow/queue/recipient.py": "tests/contracts/test_queue.py",
    "mailflow/queue/start.py": "tests/contracts/test_queue_schedule.py",
    "network/deadline.py": "tests/contracts/delivery/test_delivery_connection.py",
    "network/delivery_tls.py": "tests/contracts/delivery/test_delivery_connection.py",
    "network/dns_update.py": "tests/contracts/test_dns_peers.py",
    "network/policy_fetcher.py": "tests/contracts/test_policy_fetcher.py",
    "network/dns_records.py": "tests/contracts/delivery/test_resolver.py",
    "network/smtp_connection.py": "tests/contracts/delivery/test_delivery_connection.py",
    "network/smtp_connector.py": "tests/contracts/delivery/test_delivery_connection.py",
    "runtime/compose_api.py": "tests/scenarios/test_api.py",
    "runtime/compose_people.py": "tests/scenarios/test_api.py",
    "runtime/compose_jobs.py": "tests/contracts/test_zone_upkeep.py",
    "runtime/dns_worker.py": "tests/contracts/test_zone_upkeep.py",
    "runtime/jobs_worker.py": f"{_CONTROL_PLANE}rotation.py",
    "runtime/own_zone.py": f"{_CONTROL_PLANE}rotation.py",
    "runtime/settings_of_senders.py": "tests/unit/runtime/test_settings_loader.py",
    "runtime/compose_meters.py": "tests/scenarios/test_access_and_limits.py",
    "runtime/compose_queue.py": "tests/scenarios/test_relay.py",
    "runtime/rights_changed.py": "tests/scenarios/test_api.py",
    "runtime/compose_commands.py": "tests/scenarios/test_relay.py",
    "runtime/compose_resolvers.py": "tests/scenarios/test_dkim_rotation.py",
    "runtime/compose_workers.py": "tests/scenarios/test_relay.py",
    "runtime/compose_delivery.py": "tests/scenarios/test_relay.py",
    "runtime/compose_mail.py": "tests/scenarios/test_relay.py",
    "runtime/control_plane.py": f"{_CONTROL_PLANE}principals.py",
    "runtime/leftover_shards.py": "tests/scenarios/test_serve.py",
    "runtime/key_upkeep.py": f"{_CONTROL_PLANE}key_commands.py",
    "runtime/process.py": "tests/scenarios/test_serve.py",
    "runtime/service.py": "tests/scenarios/test_serve.py",
    "runtime/signing_keys.py": f"{_CONTROL_PLANE}silent_server.py",
    "runtime/child.py": "tests/scenarios/test_supervisor.py",
    "runtime/replacement.py": "tests/scenarios/test_supervisor.py",
    "runtime/settings_tables.py": "tests/unit/runtime/test_settings.py",
    "runtime/supervisor.py": "tests/scenarios/test_supervisor.py",
    "runtime/worker_process.py": "tests/scenarios/test_serve.py",
    "runtime/worker_plan.py": "tests/scenarios/test_serve.py",
    "runtime/mail_process.py": "tests/scenarios/test_serve.py",
    "runtime/web_process.py": "tests/scenarios/test_serve.py",
    "runtime/jobs_process.py": "tests/scenarios/test_dkim_rotation.py",
    "runtime/dns_process.py": "tests/scenarios/test_dkim_rotation.py",
    "storage/access_version.py": f"{_CONTROL_PLANE}access_version.py",
    "storage/accounts.py": f"{_CONTROL_PLANE}accounts.py",
    "storage/audit.py": f"{_CONTROL_PLANE}audit.py",
    "storage/budgets.py": f"{_CONTROL_PLANE}budgets.py",
    "storage/credits.py": f"{_CONTROL_PLANE}credits.py",
    "storage/branding.py": "tests/contracts/api/test_api_whitelabel.py",
    "storage/leases.py": f"{_CONTROL_PLANE}leases.py",
    "storage/batches.py": f"{_CONTROL_PLANE}batches.py",
    "storage/database.py": f"{_CONTROL_PLANE}database.py",
    "storage/engine.py": f"{_CONTROL_PLANE}database.py",
    "storage/email_changes.py": f"{_CONTROL_PLANE}people.py",
    "storage/invitations.py": f"{_CONTROL_PLANE}people.py",
    "storage/people.py": f"{_CONTROL_PLANE}people.py",
    "storage/schema/people.py": f"{_CONTROL_PLANE}database.py",
    "storage/sessions.py": f"{_CONTROL_PLANE}people.py",
    "system/security_key.py": "tests/contracts/api/test_api_sessions.py",
    "tenancy/access/people.py": "tests/contracts/api/test_api_sessions.py",
    "tenancy/access/person.py": "tests/contracts/api/test_api_sessions.py",
    "tenancy/accounts/email_change.py": "tests/contracts/api/test_api_email_change.py",
    "tenancy/accounts/notifier.py": "tests/contracts/api/test_api_notices.py",
    "runtime/people_upkeep.py": "tests/contracts/api/test_api_notices.py",
    "storage/notices.py": f"{_CONTROL_PLANE}notices.py",
    "tenancy/accounts/enrolment.py": "tests/contracts/api/test_api_sessions.py",
    "tenancy/accounts/first_owner.py": "tests/contracts/api/test_api_subusers.py",
    "tenancy/accounts/factor_proof.py": f"{_CONTROL_PLANE}people.py",
    "tenancy/accounts/joining.py": "tests/contracts/api/test_api_teammates.py",
    "tenancy/accounts/membership.py": "tests/contracts/api/test_api_sessions.py",
    "tenancy/accounts/people.py": f"{_CONTROL_PLANE}people.py",
    "tenancy/accounts/person_ports.py": f"{_CONTROL_PLANE}people.py",
    "tenancy/accounts/session_keeper.py": f"{_CONTROL_PLANE}people.py",
    "tenancy/accounts/sign_in.py": f"{_CONTROL_PLANE}people.py",
    "tenancy/accounts/two_factor.py": f"{_CONTROL_PLANE}people.py",
    "storage/ip_access.py": f"{_CONTROL_PLANE}ip_access.py",
    "storage/migrate.py": f"{_CONTROL_PLANE}database.py",
    "storage/migrations/": f"{_CONTROL_PLANE}database.py",
    "storage/postgresql.py": f"{_CONTROL_PLANE}database.py",
    "storage/postgresql_connection.py": f"{_CONTROL_PLANE}silent_server.py",
    "storage/queue_sqlite/": "tests/contracts/test_queue.py",
    "storage/domain_reviews.py": f"{_CONTROL_PLANE}single_senders.py",
    "storage/single_senders.py": f"{_CONTROL_PLANE}single_senders.py",
    "runtime/compose_senders.py": f"{_CONTROL_PLANE}sender_commands.py",
    "tenancy/senders/sender_advice.py": f"{_CONTROL_PLANE}sender_commands.py",
    "tenancy/senders/sender_rights.py": f"{_CONTROL_PLANE}sender_rights.py",
    "tenancy/senders/audited_branding.py": "tests/contracts/api/test_api_whitelabel_links.py",
    "tenancy/senders/letter_limit.py": "tests/contracts/api/test_api_whitelabel_links.py",
    "tenancy/senders/advice.py": "tests/unit/tenancy/senders/test_doctor.py",
    "tenancy/senders/audited_single_sender.py": f"{_CONTROL_PLANE}single_senders.py",
    "tenancy/senders/single_sender.py": f"{_CONTROL_PLANE}single_senders.py",
    "tenancy/senders/single_sender_proof.py": "tests/contracts/api/test_api_verified_senders.py",
    "storage/request_ledger.py": "tests/contracts/api/test_api_idempotency.py",
    "storage/sending_limits.py": f"{_CONTROL_PLANE}ip_access.py",
    "mailflow/submission/monitoring.py": "tests/unit/mailflow/submission/test_accept.py",
    "network/local_address.py": f"{_CONTROL_PLANE}source_addresses.py",
    "runtime/assigned_sources.py": f"{_CONTROL_PLANE}source_addresses.py",
    "runtime/counting.py": f"{_CONTROL_PLANE}statistics.py",
    "storage/statistics.py": f"{_CONTROL_PLANE}statistics.py",
    "storage/senders.py": f"{_CONTROL_PLANE}domains.py",
    "storage/sqlite.py": f"{_CONTROL_PLANE}database.py",
    "storage/spool.py": "tests/contracts/test_content_spool.py",
    "tenancy/access/audited.py": f"{_CONTROL_PLANE}audit.py",
    "tenancy/access/honey.py": f"{_CONTROL_PLANE}key_commands.py",
    "tenancy/access/known_recipients.py": f"{_CONTROL_PLANE}budgets.py",
    "tenancy/access/leaked.py": "tests/contracts/api/test_api_key_limits.py",
    "tenancy/access/credit_meter.py": f"{_CONTROL_PLANE}credits.py",
    "tenancy/access/ip_access/listed_peers.py": "tests/contracts/api/test_api_sessions.py",
    "tenancy/access/ip_access/audited.py": f"{_CONTROL_PLANE}ip_access.py",
    "tenancy/access/principals.py": f"{_CONTROL_PLANE}principals.py",
    "tenancy/access/rotate.py": "tests/contracts/api/test_api_key_limits.py",
    "tenancy/access/spending.py": f"{_CONTROL_PLANE}budgets.py",
    "tenancy/access/tab.py": f"{_CONTROL_PLANE}budgets.py",
    "tenancy/accounts/audited.py": f"{_CONTROL_PLANE}audit.py",
    "tenancy/audit/recorder.py": f"{_CONTROL_PLANE}audit.py",
    "tenancy/senders/branding.py": "tests/contracts/api/test_api_whitelabel.py",
    "tenancy/senders/posture.py": "tests/unit/tenancy/senders/test_doctor.py",
    "tenancy/senders/audited.py": f"{_CONTROL_PLANE}audit.py",
}


def module_paths():
    return {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if path.name != "__init__.py" and "versions" not in path.parts
    }


def paths_with_a_test():
    return {str(path.relative_to(UNIT).with_name(path.name.removeprefix("test_"))) for path in UNIT.rglob("test_*.py")}


def parsed(path):
    return ast.parse((PACKAGE / path).read_text(encoding="utf-8"))


def holds_behaviour(tree):
    """Whether a function does anything: has a body beyond its docstring and ``...``.

    Modules of values, tables and ports do not: there is nothing in them that could be wrong by itself.
    """
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = [
                line for line in node.body if not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
            ]
            if body:
                return True
    return False


def is_elsewhere(path):
    return path in ELSEWHERE or any(path.startswith(folder) for folder in ELSEWHERE if folder.endswith("/"))


def test_every_module_has_its_unit_test():
    untested = module_paths() - paths_with_a_test()

    assert {path for path in untested if not is_elsewhere(path) and holds_behaviour(parsed(path))} == set()


def test_every_unit_test_has_its_module():
    assert paths_with_a_test() - module_paths() == set()


def test_no_exception_has_outlived_its_reason():
    listed = {path for path in ELSEWHERE if not path.endswith("/")}

    assert listed - module_paths() == set()
    assert ELSEWHERE.keys() & paths_with_a_test() == set()


@pytest.mark.parametrize("test", sorted(set(ELSEWHERE.values())))
def test_what_is_tested_elsewhere_is(test):
    assert (ROOT / test).is_file()


def test_the_check_tells_behaviour_from_a_port():
    assert holds_behaviour(ast.parse("class A:\n  def f(self):\n    return 1"))
    assert not holds_behaviour(ast.parse('class A:\n  def f(self):\n    """Doc."""\n    ...'))
