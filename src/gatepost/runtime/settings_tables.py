"""The tables of the settings file: each setting's type, unit, default, and why.

``settings`` puts them together, ``settings_loader`` fills these values from TOML, the environment and secret files, and
``docs/reference/settings.md`` is made from them by ``tools/settings_reference.py``. A description is written for the
operator: what the setting decides, and why one would change it.
"""

from datetime import timedelta
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from gatepost.entrypoints.api.forwarded import ForwardedHeader
from gatepost.primitives.secret import Secret
from gatepost.telemetry.logger import LogFormat, LogLevel
from gatepost.tenancy.accounts.sending_limits import SendingLimits

Network: TypeAlias = IPv4Network | IPv6Network
IPAddress: TypeAlias = IPv4Address | IPv6Address

HOST_NAME = (
    r"^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$"
)
MIB = 1 << 20


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the settings file."""


class ListenerTLS(Enum):
    """When a connection turns to TLS."""

    STARTTLS = "starttls"
    IMPLICIT = "implicit"


class Workers(Section, frozen=True, kw_only=True):
    """How many processes share the work."""

    mail: Annotated[
        int,
        Meta(ge=0, le=256, description="Mail workers, each with its own queue shard; 0 means one for each core."),
    ] = 0


class Listener(Section, frozen=True, kw_only=True):
    """One submission port."""

    port: Annotated[
        int,
        Meta(examples=[587], ge=0, le=65535, description="The TCP port; 0 takes any free one."),
    ]
    address: Annotated[
        str,
        Meta(description='An IP address to listen on, or `"*"` for all of IPv4 and IPv6.'),
    ] = "*"
    tls: Annotated[
        ListenerTLS,
        Meta(description="`starttls` (25, 587, 2525) or `implicit` (465). There is no port without TLS."),
    ] = ListenerTLS.STARTTLS

    @property
    def name(self) -> str:
        """What logs, metrics and TLS contexts call it: ``587-starttls``."""
        return f"{self.port}-{self.tls.value}"


DEFAULT_LISTENERS = (
    Listener(port=25),
    Listener(port=587),
    Listener(port=2525),
    Listener(port=465, tls=ListenerTLS.IMPLICIT),
)


class TLS(Section, frozen=True, kw_only=True):
    """The certificates the listeners show. `gatepost serve` reads them again at SIGHUP, without dropping sessions."""

    certificate: Annotated[
        Path | None,
        Meta(
            examples=["/etc/gatepost/tls/certificate.pem"],
            description="PEM file: the certificate, then its intermediates. ECDSA P-256 costs half of RSA.",
        ),
    ] = None
    private_key: Annotated[
        Path | None,
        Meta(
            examples=["/etc/gatepost/tls/private-key.pem"],
            description="PEM file: the certificate's private key, unencrypted, readable by the service alone.",
        ),
    ] = None
    second_certificate: Annotated[
        Path | None,
        Meta(description="A second chain with a key of the other kind (RSA), for clients that cannot do the first."),
    ] = None
    second_private_key: Annotated[Path | None, Meta(description="The second certificate's private key.")] = None


class ProxyProtocol(Section, frozen=True, kw_only=True):
    """Load balancers in front of the listeners."""

    trusted: Annotated[
        tuple[Network, ...],
        Meta(
            description="Networks whose connections must begin with a PROXY protocol header (v1 or v2). From anywhere "
            "else such a header is refused, since the client's address decides what a key may do."
        ),
    ] = ()


class Submission(Section, frozen=True, kw_only=True):
    """What a client may do, and how long it may take."""

    max_size_octets: Annotated[
        int,
        Meta(ge=64 * 1024, description="The largest content taken, as SIZE announces it (30 MiB)."),
    ] = 30 * MIB
    max_recipients: Annotated[int, Meta(ge=100, description="Recipients of one message (RFC 5321 asks for 100).")] = (
        1000
    )
    max_messages: Annotated[int, Meta(ge=1, description="Messages of one session; then 421 and a new connection.")] = (
        5000
    )
    max_sessions: Annotated[
        int, Meta(ge=1, description="Sessions at a time; each mail worker takes its share of them.")
    ] = 10_000
    max_sessions_per_address: Annotated[
        int,
        Meta(
            ge=1,
            description="Sessions of one client address, so that one client cannot take them all. Each mail worker "
            "takes its share, and the kernel spreads connections over them by chance: a client that comes near the "
            "number may be refused (421) by one worker while another still has room.",
        ),
    ] = 1000
    idle_timeout: Annotated[
        timedelta,
        Meta(description="How long a session may be silent between commands (RFC 5321 §4.5.3.2.7: 5 minutes)."),
    ] = timedelta(minutes=5)
    authentication_timeout: Annotated[
        timedelta,
        Meta(
            description="How long a session may last before it has authenticated. Shorter than the idle time-out: "
            "nobody is known yet, and connections cost memory."
        ),
    ] = timedelta(minutes=2)
    handshake_timeout: Annotated[timedelta, Meta(description="How long a TLS handshake may take.")] = timedelta(
        seconds=30
    )
    data_timeout: Annotated[
        timedelta,
        Meta(
            description="How long one content may take to arrive; longer while it comes at 1,024 octets a second or "
            "faster. A pause within it may last three minutes."
        ),
    ] = timedelta(minutes=15)
    session_timeout: Annotated[
        timedelta,
        Meta(description="How long a session may last in all; a transaction under way may end first."),
    ] = timedelta(hours=2)
    spool_threshold_octets: Annotated[
        int, Meta(ge=16 * 1024, description="Contents larger than this go to disk while they arrive (1 MiB).")
    ] = MIB
    take_undeclared_8bit: Annotated[
        bool,
        Meta(
            description="Whether a body of 8 bits is taken though the client did not say BODY=8BITMIME, as Python's "
            "smtplib and msmtp do not. It is delivered as 8BITMIME, or converted where a receiver lacks that."
        ),
    ] = True
    memory_octets: Annotated[
        int,
        Meta(
            ge=MIB,
            description="Content that all sessions may hold in memory together (512 MiB), shared out among the mail "
            "workers; beyond it 452 4.3.1 until some is written.",
        ),
    ] = 512 * MIB


class API(Section, frozen=True, kw_only=True):
    """The HTTP API, over HTTPS with the certificates of `[tls]`. Every mail worker serves it."""

    enabled: Annotated[bool, Meta(description="Whether to serve it.")] = True
    address: Annotated[str, Meta(description='An IP address to listen on, or `"*"` for all of IPv4 and IPv6.')] = "*"
    port: Annotated[int, Meta(ge=0, le=65535, description="The TCP port; 0 takes any free one.")] = 8443
    max_body_octets: Annotated[
        int, Meta(ge=64 * 1024, description="The largest request body (30 MiB); attachments are a third longer in it.")
    ] = 30 * MIB
    memory_octets: Annotated[
        int,
        Meta(
            ge=MIB,
            description="Bodies that all requests may hold in memory together (512 MiB), shared out among the mail "
            "workers; beyond it 503 until some are done.",
        ),
    ] = 512 * MIB
    requests_per_second: Annotated[
        int,
        Meta(
            ge=1,
            description="Requests that one key may make, lastingly, of all mail workers together; beyond it 429. "
            "Twice as many at once after a pause.",
        ),
    ] = 2000
    account_requests_per_second: Annotated[
        int, Meta(ge=1, description="The same for all keys of one account together.")
    ] = 5000
    address_requests_per_second: Annotated[
        int,
        Meta(
            ge=1,
            description="The same for one client address, or one IPv6 /64, whatever keys it uses, wrong ones too.",
        ),
    ] = 2000
    trusted_proxies: Annotated[
        tuple[Network, ...],
        Meta(
            description="Proxies that say in a header whose request they hand on; they must say it in each request. "
            "From anywhere else such a header is ignored, since the client's address decides what a key may do. A "
            "listed proxy may open any number of connections."
        ),
    ] = ()
    forwarded_header: Annotated[
        ForwardedHeader,
        Meta(
            description="The header that those proxies write. The other one is ignored: they hand it on as their "
            "client made it up."
        ),
    ] = ForwardedHeader.X_FORWARDED_FOR
    max_connections: Annotated[
        int, Meta(ge=1, description="Connections at a time; each mail worker takes its share of them.")
    ] = 10_000
    max_connections_per_address: Annotated[
        int,
        Meta(ge=1, description="Connections of one client address; each mail worker takes its share of them."),
    ] = 1000
    leaked_key_token: Annotated[
        Secret[str] | None,
        Meta(
            description="Who has this token may report leaked keys, which revokes them: at least 32 characters, or "
            "`sha256:` and the hash of such a token in hexadecimal; unset, nobody may. It can be read from a file: "
            "`leaked_key_token_file`."
        ),
    ] = None
    header_timeout: Annotated[timedelta, Meta(description="How long the header of a request may take to arrive.")] = (
        timedelta(seconds=30)
    )
    body_timeout: Annotated[
        timedelta,
        Meta(
            description="How long the body of a request may take to arrive. Then it is answered with 408, and the "
            "connection is cut up to 5 s later, so that the answer is not lost under what still arrives."
        ),
    ] = timedelta(minutes=2)
    idle_timeout: Annotated[
        timedelta, Meta(description="How long a connection is kept between requests, in whole seconds.")
    ] = timedelta(seconds=75)

    @property
    def name(self) -> str:
        """What logs, metrics and TLS contexts call its listener."""
        return "api"


class Limits(Section, frozen=True, kw_only=True):
    """How much may be sent, by SMTP and HTTP together. `gatepost limit` sets other limits for single accounts.

    Over a limit is 451 at MAIL or RCPT, and 429, with when to come again. Each is counted for all mail workers of a
    machine together: so much at once after a pause, and then as much as comes back evenly in that time.
    """

    account_messages_per_minute: Annotated[
        int, Meta(ge=0, le=1_000_000_000, description="Messages of one account; 0 means no limit.")
    ] = 0
    account_messages_per_hour: Annotated[
        int, Meta(ge=0, le=1_000_000_000, description="Messages of one account in an hour; 0 means no limit.")
    ] = 0
    account_recipients_per_minute: Annotated[
        int, Meta(ge=0, le=1_000_000_000, description="Recipients of one account, in all its messages.")
    ] = 0
    account_recipients_per_hour: Annotated[
        int, Meta(ge=0, le=1_000_000_000, description="Recipients of one account in an hour.")
    ] = 0
    address_messages_per_minute: Annotated[
        int, Meta(ge=0, le=1_000_000_000, description="Messages from one client address, or IPv6 /64, by whatever key.")
    ] = 0

    @property
    def of_accounts(self) -> SendingLimits:
        """Those of an account of which nothing else was set."""
        return SendingLimits(
            messages_per_minute=self.account_messages_per_minute,
            messages_per_hour=self.account_messages_per_hour,
            recipients_per_minute=self.account_recipients_per_minute,
            recipients_per_hour=self.account_recipients_per_hour,
        )


class QueueSettings(Section, frozen=True, kw_only=True):
    """How long delivery is tried, and what room it is left."""

    expire_after: Annotated[
        timedelta,
        Meta(description="How long after acceptance a recipient is given up."),
    ] = timedelta(hours=72)
    reserve_octets: Annotated[
        int,
        Meta(
            ge=0,
            description="New mail is refused for now (452 4.3.1, 507) while less than this is free on the queue's "
            "disk, so that delivery always has room. 0 means the larger of 64 MiB and one and a half times "
            "`submission.max_size_octets`. Beside it, each mail worker holds half as much, 32 MiB at most, in a file "
            "that it gives back when others have filled the disk to the last octet.",
        ),
    ] = 0


class Delivery(Section, frozen=True, kw_only=True):
    """How messages leave."""

    routes: Annotated[
        dict[str, str],
        Meta(
            description='Next hops that override the DNS: `"example.test" = "127.0.0.1:2526"`. The name `"*"` stands '
            "for every other domain: a smarthost."
        ),
    ] = msgspec.field(default_factory=dict)
    nameservers: Annotated[
        tuple[str, ...],
        Meta(
            description='Resolvers to ask, `"127.0.0.1"` or `"127.0.0.1:5353"`; empty means those of the system. A '
            "validating resolver on this machine is best."
        ),
    ] = ()
    dns_timeout: Annotated[timedelta, Meta(description="How long one DNS question may take, all tries together.")] = (
        timedelta(seconds=10)
    )
    require_tls: Annotated[
        bool,
        Meta(description="Whether to deliver over TLS only; otherwise TLS is used wherever a next hop offers it."),
    ] = False
    connections_per_destination: Annotated[
        int, Meta(ge=1, le=1000, description="Connections of one mail worker to one destination at a time.")
    ] = 20
    max_connections: Annotated[int, Meta(ge=1, description="Outgoing connections of one mail worker at a time.")] = 500
    messages_per_connection: Annotated[
        int, Meta(ge=1, description="Messages sent over one connection before it is closed.")
    ] = 100
    allow_private_destinations: Annotated[
        bool,
        Meta(
            description="Whether an MX may point to loopback, private or link-local addresses. Off, so that nobody can "
            "reach machines inside this network by publishing DNS records; `routes` are not affected."
        ),
    ] = False
    source_address: Annotated[
        IPAddress | None,
        Meta(description="The local address that connections leave from; unset, the system chooses."),
    ] = None
    source_addresses: Annotated[
        dict[str, str],
        Meta(
            description="Sending addresses that can be assigned to subusers, each with the local address of this "
            'machine that its connections leave from: `"192.0.2.7" = "10.0.0.7"`, or the same twice where there is no '
            "address translation. Mail of a subuser with such an address leaves from it and from no other."
        ),
    ] = msgspec.field(default_factory=dict)
    connect_timeout: Annotated[timedelta, Meta(description="How long a TCP connection may take to open.")] = timedelta(
        seconds=30
    )
    command_timeout: Annotated[
        timedelta,
        Meta(
            description="How long a peer may take for its greeting and for each reply (RFC 5321 §4.5.3.2: 5 minutes)."
        ),
    ] = timedelta(minutes=5)
    data_timeout: Annotated[
        timedelta,
        Meta(description="How long a peer may block while content is written (RFC 5321 §4.5.3.2.5: 3 minutes)."),
    ] = timedelta(minutes=3)
    final_reply_timeout: Annotated[
        timedelta,
        Meta(
            description="How long a peer may take to answer the final dot (RFC 5321 §4.5.3.2.6: 10 minutes). Shorter "
            "means duplicates: the peer may have taken the message."
        ),
    ] = timedelta(minutes=10)


class SystemMail(Section, frozen=True, kw_only=True):
    """The service's own mail: invitations, password resets, proofs of addresses, security notices."""

    author: Annotated[
        str | None,
        Meta(
            description="The address that the service writes from, `accounts@example.com`. Its domain must be "
            "verified for one of the accounts, to which the mail then belongs. Unset, nobody can be invited by mail, "
            "and no password or address of a person be changed by mail.",
        ),
    ] = None
    notices: Annotated[
        bool,
        Meta(
            description="Whether people are told by mail of what was done to their passwords, second factors, "
            "addresses, keys and address lists. Off only where something else tells them.",
        ),
    ] = True


class Console(Section, frozen=True, kw_only=True):
    """Where people sign in."""

    origins: Annotated[
        tuple[str, ...],
        Meta(
            description="The pages whose passkeys are taken, as browsers write an origin; each must be on `host_name` "
            "or below it. Empty means `https://<host_name>`, with the port of the API and without.",
        ),
    ] = ()
    url: Annotated[
        str | None,
        Meta(
            description="The page that invitations and resets lead to; the token is put behind a `#`. Unset, the mail "
            "holds the token alone, for the HTTP API.",
        ),
    ] = None


class Operations(Section, frozen=True, kw_only=True):
    """Health and metrics, over HTTP, for the operator's machines only; they answer without authentication."""

    address: Annotated[IPAddress, Meta(description="Where to listen. Keep it on loopback or a management network.")] = (
        IPv4Address("127.0.0.1")
    )
    port: Annotated[int, Meta(ge=0, le=65535, description="The TCP port; 0 takes any free one.")] = 9125


class Log(Section, frozen=True, kw_only=True):
    """What is written to standard error. Secrets are removed at every level."""

    level: Annotated[LogLevel, Meta(description="The least important kind of event that is written.")] = LogLevel.INFO
    format: Annotated[LogFormat, Meta(description="`json` for machines, `console` for people.")] = LogFormat.JSON
