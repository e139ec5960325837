"""Submission: what any way in hands to the one door."""

from dataclasses import dataclass

from gatepost.mailflow.content import Content
from gatepost.mailflow.envelope import Envelope, Origin
from gatepost.mailflow.options import SendingOptions
from gatepost.tenancy.access.principal import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A message offered, by whom, how it came, and what else was said of it."""

    principal: Principal
    envelope: Envelope
    content: Content
    origin: Origin
    options: SendingOptions | None = None
