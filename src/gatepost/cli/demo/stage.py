"""Sets the stage: everything around the relay, then the relay itself. Each part is a step of the story."""

import tomllib
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Final

from gatepost.cli.demo.authority import DevelopmentAuthority
from gatepost.cli.demo.inbox.receiver import HOST_NAME as INBOX_HOST_NAME
from gatepost.cli.demo.inbox.receiver import Inbox
from gatepost.cli.demo.ports import bind_loopback
from gatepost.cli.demo.relay import RelayProcess
from gatepost.cli.demo.story import Story
from gatepost.cli.demo.zone import RECEIVING_DOMAIN, RELAY_HOST_NAME, SENDING_DOMAIN, LocalDNS
from gatepost.network.certificates import CertificateFiles, write_new_file
from gatepost.primitives.clock import Clock
from gatepost.primitives.errors import Permanent
from gatepost.primitives.ids import AccountId, KeyId
from gatepost.primitives.secret import Secret
from gatepost.runtime.compose import prepare_state
from gatepost.runtime.compose_commands import compose_control_plane
from gatepost.runtime.compose_resolvers import compose_resolver
from gatepost.runtime.compose_senders import compose_guard
from gatepost.runtime.control_plane import ControlPlane
from gatepost.runtime.settings import Listener, ListenerTLS, Settings
from gatepost.runtime.settings_file import render_settings_file
from gatepost.runtime.settings_loader import read_settings
from gatepost.tenancy.access.grant import Grant
from gatepost.tenancy.access.issue import issue_key
from gatepost.tenancy.access.scope import MAIL_SEND
from gatepost.tenancy.accounts import lifecycle
from gatepost.tenancy.senders.claim import claim_domain, prove_domain
from gatepost.tenancy.senders.dns_check import is_proved
from gatepost.tenancy.senders.dns_plan import Relay, plan_records

ACCOUNT_NAME: Final = "acme"
WORKERS: Final = 2
SENDING_NETWORKS: Final = (ip_network("127.0.0.1/32"), ip_network("::1/128"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """What is in the demo's folder."""

    folder: Path

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.folder / "gatepost.toml"

    @property
    def ca(self) -> Path:
        """The certificate that clients are to trust."""
        return self.folder / "ca.pem"

    @property
    def inbox(self) -> Path:
        """The received messages."""
        return self.folder / "inbox"

    @property
    def log(self) -> Path:
        """What the relay writes."""
        return self.folder / "gatepost.log"

    def certificate(self, name: str) -> CertificateFiles:
        """A certificate and its key."""
        return CertificateFiles(chain=self.folder / f"{name}.pem", private_key=self.folder / f"{name}-key.pem")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sends in the demo."""

    account_id: AccountId
    key_id: KeyId
    key: Secret[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that was set up, running."""

    paths: Paths
    ports: dict[str, int]
    settings: Settings
    control: ControlPlane
    sender: Sender
    inbox: Inbox
    relay: RelayProcess


async def set_stage(
    paths: Paths, ports: dict[str, int], story: Story, clock: Clock, resources: AsyncExitStack
) -> Stage:
    """Make everything and start everything; ``resources`` ends it, the relay first.

    Raises:
        StoryEnded: Something could not be made or started; it has been told.
    """
    with story.step("certificates") as detail:
        names = _make_certificates(paths, clock)
        detail.append(f"for {', '.join(names)}; trust {paths.ca}")
    with story.step("local DNS") as detail:
        dns = LocalDNS()
        await dns.start(ports["DNS"])
        resources.push_async_callback(dns.stop)
        detail.append(f"{SENDING_DOMAIN}, {RECEIVING_DOMAIN} and {RELAY_HOST_NAME} on 127.0.0.1:{ports['DNS']}")
    with story.step("inbox") as detail:
        inbox = Inbox(paths.inbox, certificate=paths.certificate("inbox"), dns_port=ports["DNS"], clock=clock)
        resources.push_async_callback(inbox.stop)
        await inbox.start(bind_loopback(ports["inbox"]), bind_loopback(ports["inbox pages"]))
        detail.append(f"a receiving MX on 127.0.0.1:{ports['inbox']} that checks DKIM and SPF")
    with story.step("settings") as detail:
        settings = _write_settings(paths, ports)
        prepare_state(settings)
        detail.append(f"{paths.config}, as `gatepost init` writes it")
    control = resources.enter_context(closing(compose_control_plane(settings)))
    sender = await _authorize(control, settings, dns, story)
    relay = RelayProcess(paths.config, paths.log, operations_port=ports["health and metrics"])
    with story.step("relay", hint=f"see {paths.log}") as detail:
        resources.push_async_callback(relay.stop)
        await relay.start()
        detail.append(f"gatepost serve: supervisor, {WORKERS} mail workers, health and metrics")
    return Stage(paths=paths, ports=ports, settings=settings, control=control, sender=sender, inbox=inbox, relay=relay)


def _make_certificates(paths: Paths, clock: Clock) -> list[str]:
    authority = DevelopmentAuthority(clock.now())
    write_new_file(paths.ca, authority.pem, mode=0o644)
    names = ["localhost", "127.0.0.1", RELAY_HOST_NAME]
    authority.issue(paths.certificate("relay"), names)
    authority.issue(paths.certificate("inbox"), [INBOX_HOST_NAME])
    return names


def _write_settings(paths: Paths, ports: dict[str, int]) -> Settings:
    certificate = paths.certificate("relay")
    text = render_settings_file(
        {
            "host_name": RELAY_HOST_NAME,
            "state_dir": (paths.folder / "state").absolute(),
            "workers.mail": WORKERS,
            "listeners": (
                Listener(address="127.0.0.1", port=ports["submission"]),
                Listener(address="127.0.0.1", port=ports["submission, second"]),
                Listener(address="127.0.0.1", port=ports["submission, TLS from the start"], tls=ListenerTLS.IMPLICIT),
            ),
            "tls.certificate": certificate.chain.absolute(),
            "tls.private_key": certificate.private_key.absolute(),
            # Whatever the recipient, it goes to the inbox: nothing leaves this machine.
            "api.address": "127.0.0.1",
            "api.port": ports["HTTP API"],
            "delivery.routes": {"*": f"127.0.0.1:{ports['inbox']}"},
            "delivery.nameservers": (f"127.0.0.1:{ports['DNS']}",),
            "senders.sending_networks": SENDING_NETWORKS,
            "operations.port": ports["health and metrics"],
        }
    )
    write_new_file(paths.config, text.encode(), mode=0o644)
    return read_settings(tomllib.loads(text), {}, folder=paths.folder, source=str(paths.config))


async def _authorize(control: ControlPlane, settings: Settings, dns: LocalDNS, story: Story) -> Sender:
    now, entropy = control.clock.now(), control.entropy
    with story.step("account") as detail:
        account = lifecycle.create(control.accounts, ACCOUNT_NAME, now=now, entropy=entropy)
        detail.append(f"{account.name}, {account.id}")
    with story.step("sending domain") as detail:
        claim = claim_domain(
            control.domains, account.id, SENDING_DOMAIN, keyring=control.keyring, entropy=entropy, now=now
        )
        relay = Relay(host_name=settings.host_name, sending_networks=SENDING_NETWORKS)
        dns.publish(plan_records(claim, relay))
        findings = await prove_domain(
            control.domains,
            claim,
            compose_resolver(settings),
            guard=compose_guard(control, settings.host_name, settings.senders.protected_names),
            relay=relay,
            now=now,
        )
        if not is_proved(findings):
            raise Permanent("; ".join([finding.problem for finding in findings if finding.problem]))
        detail.append(f"{claim.name} is verified: its DNS has two DKIM keys, SPF and DMARC")
    with story.step("API key") as detail:
        made, key = issue_key(
            control.keys,
            account_id=account.id,
            name="demo",
            grant=Grant(scopes=frozenset({MAIL_SEND})),
            hash_secret=control.keyring.hash_secret,
            entropy=entropy,
            now=now,
        )
        detail.append(f"{made.id}, which may do nothing but {MAIL_SEND}")
    return Sender(account_id=account.id, key_id=made.id, key=key)
