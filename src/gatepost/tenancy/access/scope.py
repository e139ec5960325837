"""The catalogue of scopes: the names of rights, as the dialect we are compatible with spells them.

A scope is ``resource.verb``. With the flags below there are 282 names. Many open no door here: they are known so that
a key made with them elsewhere can be made here, and so that a misspelt one is refused instead of quietly granting
nothing.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from enum import Enum
from typing import Final

MAIL_SEND: Final = "mail.send"

_CREATE_READ_UPDATE_DELETE: Final = """
    access_settings.whitelist alerts api_keys asm.groups asm.groups.suppressions asm.suppressions.global billing
    categories credentials design_library ips ips.pools ips.pools.ips ips.warmup mail.batch
    mail_settings.address_whitelist mail_settings.bcc mail_settings.bounce_purge mail_settings.footer
    mail_settings.forward_bounce mail_settings.forward_spam mail_settings.plain_content mail_settings.spam_check
    mail_settings.template marketing_campaigns newsletter partner_settings.new_relic partner_settings.sendwithus
    sso.settings subusers subusers.credits subusers.credits.remaining subusers.monitor suppression suppression.blocks
    suppression.bounces suppression.invalid_emails suppression.spam_reports suppression.unsubscribes teammates
    templates templates.versions templates.versions.activate tracking_settings.click
    tracking_settings.google_analytics tracking_settings.open tracking_settings.subscription user.email
    user.multifactor_authentication user.password user.profile user.scheduled_sends user.timezone user.username
    user.webhooks.event.settings user.webhooks.event.test user.webhooks.parse.settings whitelabel
"""
_READ: Final = """
    access_settings.activity browsers.stats categories.stats categories.stats.sums clients.desktop.stats
    clients.phone.stats clients.stats clients.tablet.stats clients.webmail.stats devices.stats
    di.bounce_block_classification email_activity email_testing geo.stats ips.assigned mail_settings
    mailbox_providers.stats marketing marketing.automation messages partner_settings recipients.erasejob stats
    stats.global subusers.reputations subusers.stats subusers.stats.monthly subusers.stats.sums subusers.summary
    tracking_settings user.account user.credits user.settings.enforced_tls user.webhooks.parse.stats validations.email
"""
_OTHERS: Final = """
    mail.send email_testing.write recipients.erasejob.create signup.trigger_confirmation sso.teammates.create
    sso.teammates.update ui.confirm_email ui.provision ui.signup_complete user.settings.enforced_tls.update
    validations.email.create
"""

ACCOUNT_FLAGS: Final = frozenset(
    {"2fa_exempt", "2fa_required", "sender_verification_eligible", "sender_verification_legacy"}
)
"""Names that the dialect lists among the scopes, but that state a property of the account: nobody can grant them."""

CATALOGUE: Final = frozenset(
    [
        f"{resource}.{verb}"
        for resource in _CREATE_READ_UPDATE_DELETE.split()
        for verb in ["create", "read", "update", "delete"]
    ]
    + [f"{resource}.read" for resource in _READ.split()]
    + _OTHERS.split()
)
"""Every scope that a key can be given."""

BILLING: Final = frozenset(scope for scope in CATALOGUE if scope.startswith("billing."))
"""What a billing key holds; no other key holds any of it."""

FULL_ACCESS: Final = frozenset(scope for scope in CATALOGUE - BILLING if not scope.startswith("validations.email."))
"""What a full-access key holds: everything but billing and the validation of addresses, which is sold apart."""


class KeyKind(Enum):
    """What a key is called by its scopes."""

    FULL = "full"
    RESTRICTED = "restricted"
    BILLING = "billing"


def kind_of(scopes: frozenset[str]) -> KeyKind:
    """Say what a key with these scopes is called."""
    if scopes and scopes <= BILLING:
        return KeyKind.BILLING
    return KeyKind.FULL if scopes >= FULL_ACCESS else KeyKind.RESTRICTED


def of_one_kind(scopes: frozenset[str]) -> frozenset[str]:
    """Return what of these scopes one key may hold together: the billing scopes are left out if there are others."""
    return scopes - BILLING or scopes


class MixedScopes(ValueError):
    """Billing scopes beside others; the text says what to do."""


def require_one_kind(scopes: frozenset[str]) -> frozenset[str]:
    """Return the scopes if one key may hold them together. Raises ``MixedScopes``."""
    if scopes & BILLING and scopes - BILLING:
        raise MixedScopes("a key has either billing scopes or others, never both: make two keys")
    return scopes


class UnknownScope(ValueError):
    """A name that is no scope; the text says so and lists those that look like it."""


def require_known(names: Iterable[str]) -> frozenset[str]:
    """Return the names as a set of scopes. Raises ``UnknownScope`` at the first that is none."""
    wanted = frozenset(names)
    for name in sorted(wanted - CATALOGUE):
        if name in ACCOUNT_FLAGS:
            raise UnknownScope(f"{name} is a property of an account, not a scope that a key can be given")
        under = sorted(known for known in CATALOGUE if known.startswith(f"{name}."))
        near = under or get_close_matches(name, CATALOGUE, n=3, cutoff=0.6)
        raise UnknownScope(f"{name!r} is not a scope" + (f"; did you mean {', '.join(near)}?" if near else ""))
    return wanted
