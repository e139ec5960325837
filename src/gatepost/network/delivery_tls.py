"""TLS contexts for outgoing connections: made once for each requirement, because each costs milliseconds."""

import ssl
from functools import cached_property
from pathlib import Path

from gatepost.mailflow.delivery.tls_requirement import TLSRequirement


class DeliveryTLS:
    """TLS 1.2 and 1.3 towards receiving hosts."""

    def __init__(self, *, authorities_path: Path | None = None) -> None:
        """Trust the authorities in a PEM file for VERIFIED, or else those of the system."""
        self._authorities_path = authorities_path

    def context_for(self, requirement: TLSRequirement) -> ssl.SSLContext:
        """Return the context for a requirement other than NONE."""
        return self._verifying if requirement is TLSRequirement.VERIFIED else self._trusting

    @cached_property
    def _trusting(self) -> ssl.SSLContext:
        """Takes any certificate: whoever could forge one could as well have hidden STARTTLS from us (RFC 7435)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    @cached_property
    def _verifying(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._authorities_path)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context
