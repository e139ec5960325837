"""The envelope: what SMTP says beside the content (RFC 5321 §2.3.1), and where it came from."""

from dataclasses import dataclass

from gatepost.standards.address import Mailbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The reverse-path (None is the null one), the forward-paths in order, and what the content needs of a peer."""

    reverse_path: Mailbox | None
    forward_paths: tuple[Mailbox, ...]
    needs_8bitmime: bool = False
    needs_smtputf8: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """By which way a message came in; goes into its trace field.

    Attributes:
        protocol: The ``with`` word of RFC 3848: "ESMTPSA", or "HTTPS".
        peer_address: The client's IP address (after PROXY protocol).
        greeting: What the client said at EHLO; "" if nothing.
        tls: Protocol and cipher, "TLSv1.3 TLS_AES_256_GCM_SHA384"; "" for none.
    """

    protocol: str
    peer_address: str
    greeting: str = ""
    tls: str = ""
