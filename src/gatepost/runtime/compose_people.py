"""The composition of what people do: signing in, factors, invitations."""

from collections.abc import Callable

from gatepost.mailflow.queue.ports import Queue
from gatepost.mailflow.submission.accept import Acceptance
from gatepost.mailflow.submission.system_mail import OwnRights, QueuedSystemMail
from gatepost.runtime.control_plane import ControlPlane
from gatepost.runtime.settings import Settings
from gatepost.system.common_passwords import load_common_passwords
from gatepost.system.password_hash import Argon2PasswordHash
from gatepost.system.security_key import WebAuthnKeys
from gatepost.telemetry.logger import get_logger
from gatepost.tenancy.accounts.people import PeopleUseCases
from gatepost.tenancy.accounts.person_ports import SystemMailer
from gatepost.tenancy.senders.alignment import VerifiedDomains

log = get_logger()


def compose_people(settings: Settings, control: ControlPlane) -> PeopleUseCases:
    """Put together what people do, for one process; needs no event loop yet."""
    return PeopleUseCases.of(
        control.people_tools,
        hasher=Argon2PasswordHash(control.entropy),
        security_keys=WebAuthnKeys(settings.host_name, find_origins(settings)),
        issuer=settings.host_name,
        common_passwords=load_common_passwords(),
    )


def compose_system_mail(
    settings: Settings, control: ControlPlane, queue: Queue, domains: VerifiedDomains
) -> SystemMailer:
    """Put together the service's own mail: a door of its own kind, before the same queue."""
    door = Acceptance(
        queue=queue,
        rights=OwnRights(),
        budgets=control.spending,
        meter=control.principals.meter,
        domains=domains,
        clock=control.clock,
        entropy=control.entropy,
        own_host_names=frozenset({settings.host_name.lower()}),
    )
    return QueuedSystemMail(
        author=settings.system_mail.author,
        door=door,
        domains=domains,
        entropy=control.entropy,
        on_refusal=_log_refusal,
    )


def make_token_text(settings: Settings) -> Callable[[str], str]:
    """Return how a token is shown in a mail: as a link to the console, if there is one."""
    url = settings.console.url
    return (lambda token: f"{url}#{token}") if url else (lambda token: token)


def find_origins(settings: Settings) -> tuple[str, ...]:
    """Return where the pages are whose passkeys are taken."""
    host = f"https://{settings.host_name}"
    return settings.console.origins or (host, f"{host}:{settings.api.port}")


def _log_refusal(reason: str) -> None:
    log.error("system_mail_refused", reason=reason)
