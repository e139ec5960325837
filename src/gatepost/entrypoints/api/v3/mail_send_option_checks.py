"""What the body of ``mail/send`` may ask for beside the messages themselves; the texts are the dialect's.

What the service cannot do is refused by name, never read over: mail that is sent at another time or in another way
than asked is worse than an error.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

import msgspec
from msgspec import UnsetType

from gatepost.entrypoints.api.problem import FieldError
from gatepost.entrypoints.api.v3.mail_send_body import MailSend, MailSettings
from gatepost.entrypoints.api.v3.mail_send_checks import (
    Errors,
    each_personalization,
    error_at,
    find_message_errors,
    mapped,
)

MAX_ERRORS: Final = 50
MAX_AHEAD: Final = timedelta(hours=72)
MAX_CATEGORIES: Final = 10
MAX_CATEGORY_CHARACTERS: Final = 255
MAX_CUSTOM_ARGS_OCTETS: Final = 10_000
_MAX_TRACKING_OCTETS: Final = 10_000
_MAX_GROUPS_SHOWN: Final = 25

_TEMPLATE_ID: Final = re.compile(r"d-[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the rules must know: the time, and which batches mail can be put into."""

    now: datetime
    is_batch: Callable[[str], bool]


def find_errors(body: MailSend, circumstances: Circumstances) -> list[FieldError]:
    """Return what is wrong with a body, the first ``MAX_ERRORS``; nothing if it can be sent."""
    return list(islice(_find_all(body, circumstances), MAX_ERRORS))


def _find_all(body: MailSend, circumstances: Circumstances) -> Errors:
    yield from find_message_errors(body)
    for rule in _RULES:
        yield from rule(body)
    yield from _find_send_at(body, circumstances.now)
    batch_id = body.batch_id
    if isinstance(batch_id, str) and batch_id and not circumstances.is_batch(batch_id):
        yield error_at(
            "batch_id",
            "The batch_id must be a valid batch id of your account, not older than 10 days: invalid batch id",
        )


def _find_custom_args(body: MailSend) -> Errors:
    shared = mapped(body.custom_args)
    own_ones = [(f"{at}.", mapped(p.custom_args)) for at, p in each_personalization(body) if p.custom_args]
    for at, own in [("", {}), *own_ones]:
        size = sum([len(f"{name}{value}".encode("utf-8", "replace")) for name, value in {**shared, **own}.items()])
        if size > MAX_CUSTOM_ARGS_OCTETS:
            yield error_at(
                f"{at}custom_args",
                "The combined size of both global and personalization custom arguments may not exceed 10,000 bytes per"
                " personalization.",
            )


def _find_categories(body: MailSend) -> Errors:
    categories = () if isinstance(body.categories, UnsetType) else body.categories
    if len(categories) > MAX_CATEGORIES:
        yield error_at(
            "categories",
            f"There is a limit of {MAX_CATEGORIES} categories for each email that is sent. You provided"
            f" {len(categories)} categories.",
        )
    seen: set[str] = set()
    for place, category in enumerate(categories):
        at = f"categories.{place}"
        if category in seen:
            yield error_at(
                at,
                f"The categories must be a unique list, and you have included [{category[:MAX_CATEGORY_CHARACTERS]}]"
                " more than once.",
            )
        seen.add(category)
        if len(category) > MAX_CATEGORY_CHARACTERS:
            yield error_at(at, f"Each category must not be longer than {MAX_CATEGORY_CHARACTERS} characters.")
        if not category.isascii():
            yield error_at(at, "Categories can not contain non-ASCII characters.")
        elif not category or not category.isprintable():
            yield error_at(at, "Categories must be strings of at least one character, without control characters.")


def _find_unknown(body: MailSend) -> Errors:
    """Refuse what would have to exist in the account and does not: templates, pools and groups."""
    template_id, pool = body.template_id, body.ip_pool_name
    if isinstance(template_id, str) and template_id:
        known = "The Template ID must be a valid template id for your account. You provided [{id}]."
        malformed = "The template_id must be a valid GUID, you provided '{id}'."
        text = known if _TEMPLATE_ID.fullmatch(template_id) else malformed
        yield error_at("template_id", text.format(id=template_id[:64]))
    for at, personalization in each_personalization(body):
        if personalization.dynamic_template_data and not template_id:
            yield error_at(
                f"{at}.dynamic_template_data",
                "dynamic_template_data can only be used with a template: use substitutions",
            )
    if isinstance(pool, str) and pool:
        yield error_at(
            "ip_pool_name", f"The IP Pool name must be a valid pool name for your account. You provided [{pool[:64]}]."
        )


def _find_groups(body: MailSend) -> Errors:
    if isinstance(body.asm, UnsetType):
        return
    group_id = body.asm.group_id
    if isinstance(group_id, UnsetType):
        yield error_at("asm.group_id", "The ASM group ID must be an integer.")
    else:
        yield error_at(
            "asm.group_id",
            f"The ASM group ID must be a valid Group ID on your account. You provided [{str(group_id)[:64]}].",
        )
    shown = () if isinstance(body.asm.groups_to_display, UnsetType) else body.asm.groups_to_display
    if len(shown) > _MAX_GROUPS_SHOWN:
        yield error_at(
            "asm.groups_to_display",
            f"There is a limit of {_MAX_GROUPS_SHOWN} unsubscribe groups that can be displayed to a user at a time.",
        )


def _find_settings(body: MailSend) -> Errors:
    settings = body.mail_settings
    if not isinstance(settings, UnsetType):
        yield from _find_bypasses(settings)
        yield from _find_retired(settings)
    if not isinstance(body.tracking_settings, UnsetType):
        size = len(msgspec.json.encode(body.tracking_settings))
        if size > _MAX_TRACKING_OCTETS:
            yield error_at("tracking_settings", "The tracking settings may not exceed 10,000 bytes.")


def _find_bypasses(settings: MailSettings) -> Errors:
    bypasses = list_bypasses(settings)
    if "list" in bypasses and len(bypasses) > 1:
        yield error_at(
            "mail_settings.bypass_list_management",
            "bypass_list_management disregards every list: it cannot be combined with the other bypass settings.",
        )


def _find_retired(settings: MailSettings) -> Errors:
    check = settings.spam_check
    if isinstance(check, UnsetType) or check.enable is not True:
        return
    if isinstance(check.threshold, int) and not 1 <= check.threshold <= 10:
        yield error_at(
            "mail_settings.spam_check.threshold",
            "The spam check threshold is between 1 and 10, with the lower numbers being the most strict filtering.",
        )
    if isinstance(check.post_to_url, str) and not check.post_to_url.startswith(("http://", "https://")):
        yield error_at(
            "mail_settings.spam_check.post_to_url",
            "The `post_to_url` parameter must start with `http://` or `https://`.",
        )


def list_bypasses(settings: MailSettings | UnsetType) -> tuple[str, ...]:
    """Return the suppression lists that are not to be asked."""
    if isinstance(settings, UnsetType):
        return ()
    switches = (
        ("list", settings.bypass_list_management),
        ("spam", settings.bypass_spam_management),
        ("bounce", settings.bypass_bounce_management),
        ("unsubscribe", settings.bypass_unsubscribe_management),
    )
    return tuple([name for name, switch in switches if not isinstance(switch, UnsetType) and switch.enable is True])


def _find_send_at(body: MailSend, now: datetime) -> Errors:
    latest = (now + MAX_AHEAD).timestamp()
    own = [(f"{at}.send_at", p.send_at) for at, p in each_personalization(body)]
    for field, send_at in [("send_at", body.send_at), *own]:
        if isinstance(send_at, int) and send_at > latest:
            yield error_at(field, "Scheduling more than 72 hours in advance is forbidden.")


_RULES: Final[tuple[Callable[[MailSend], Iterator[FieldError]], ...]] = (
    _find_custom_args,
    _find_categories,
    _find_unknown,
    _find_groups,
    _find_settings,
)
