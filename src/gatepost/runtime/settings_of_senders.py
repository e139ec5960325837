"""The settings about the names that customers send under: their records, our own zone, the keys. See ``settings``."""

from datetime import timedelta
from typing import Annotated

from msgspec import Meta

from gatepost.primitives.secret import Secret
from gatepost.runtime.settings_tables import Network, Section


class Senders(Section, frozen=True, kw_only=True):
    """What customers' domains must say about this service."""

    sending_networks: Annotated[
        tuple[Network, ...],
        Meta(description="Where this service's mail leaves from, as the SPF records of customers must allow."),
    ] = ()
    protected_names: Annotated[
        tuple[str, ...],
        Meta(
            description="Domains of your own, beside `host_name`: a domain that looks like one of them, or like one "
            "that another account has verified, is held until `gatepost domain approve`."
        ),
    ] = ()
    signing_domain: Annotated[
        str | None,
        Meta(
            description="The verified domain whose keys sign mail of single senders whose account has no default "
            "domain. Unset, that mail is not signed. It does not make their DMARC pass."
        ),
    ] = None
    recheck_every: Annotated[
        timedelta, Meta(description="How often the records of a verified domain are looked at again.")
    ] = timedelta(hours=24)
    recheck_failing_every: Annotated[timedelta, Meta(description="How often, while one of them is gone.")] = timedelta(
        hours=1
    )
    recheck_grace: Annotated[
        timedelta,
        Meta(
            description="How long a domain may be without a record that it needs before nobody can send under it any "
            "more. It comes back by itself with its records, unless another account has verified it meanwhile."
        ),
    ] = timedelta(hours=72)


class DNSPush(Section, frozen=True, kw_only=True):
    """A name server that is sent our own zone, by signed updates (RFC 2136)."""

    server: Annotated[str, Meta(description='Its address, `"192.0.2.53"` or `"192.0.2.53:5353"`; empty for none.')] = ""
    key_name: Annotated[str, Meta(description="The name of the TSIG key that may transfer and update the zone.")] = ""
    key_algorithm: Annotated[str, Meta(description="The algorithm of that key.")] = "hmac-sha256"
    key_secret: Annotated[
        Secret[str] | None, Meta(description="Its secret in base64; better in a file: `key_secret_file`.")
    ] = None


class DNS(Section, frozen=True, kw_only=True):
    """The zone of our own into which customers with automatic security publish their CNAMEs."""

    zone: Annotated[
        str,
        Meta(
            examples=["dns.mail.example.com"],
            description="Its name; empty for none, and then customers publish the records themselves. It never "
            "changes once customers have published CNAMEs.",
        ),
    ] = ""
    name_servers: Annotated[
        tuple[str, ...],
        Meta(description="The names of the zone's name servers, as its parent delegates it; empty for `host_name`."),
    ] = ()
    contact: Annotated[
        str, Meta(description="Whom to write about the zone: an address, for its SOA; empty for its hostmaster.")
    ] = ""
    serve: Annotated[
        bool, Meta(description="Whether to answer for the zone ourselves; not where another server is sent it.")
    ] = True
    address: Annotated[str, Meta(description='An IP address to listen on, or `"*"` for all of IPv4 and IPv6.')] = "*"
    port: Annotated[int, Meta(ge=0, le=65535, description="The UDP and TCP port; 0 takes any free one.")] = 53
    push: DNSPush = DNSPush()

    @property
    def name(self) -> str:
        """What logs call its listener."""
        return "dns"

    @property
    def is_served(self) -> bool:
        """Whether there is a zone that we answer for."""
        return bool(self.zone) and self.serve


class DKIM(Section, frozen=True, kw_only=True):
    """The life of the keys that sign."""

    rotates_by_itself: Annotated[
        bool,
        Meta(description="Whether keys of domains with automatic security get successors by age, not only on demand."),
    ] = True
    rotate_after: Annotated[timedelta, Meta(description="The age at which a key gets its successor (180 days).")] = (
        timedelta(days=180)
    )
    settle_for: Annotated[
        timedelta,
        Meta(
            description="How long a new key is published before it is looked for and used. Not shorter than the TTL "
            "in our zone, 60 s: what stood there before must be forgotten everywhere."
        ),
    ] = timedelta(seconds=60)
    retire_for: Annotated[
        timedelta | None,
        Meta(
            description="How long a key stays published after its last signature; unset, as long as a message may be "
            "queued (`queue.expire_after`) and 7 days more, for which a signature is valid."
        ),
    ] = None
