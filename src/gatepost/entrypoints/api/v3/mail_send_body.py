"""The body of ``POST /v3/mail/send``: shape only; what it must say is in ``mail_send_checks``.

Members that are not named here are read over, because client libraries send what other services know.
"""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType


class _Part(Struct, frozen=True, kw_only=True):
    """A part of the body. By its shape all may be left out, so that what lacks is told as a whole."""


class EmailAddress(_Part, frozen=True, kw_only=True):
    """An address, and the name shown for it."""

    email: Annotated[str | UnsetType, Meta(description="Required.")] = UNSET
    name: str | UnsetType = UNSET


class Personalization(_Part, frozen=True, kw_only=True, rename={"from_": "from"}):
    """One message: to whom it goes, and in what it differs from the others."""

    to: Annotated[
        tuple[EmailAddress, ...] | UnsetType,
        Meta(description="Required.", extra_json_schema={"minItems": 1, "maxItems": 1000}),
    ] = UNSET
    cc: tuple[EmailAddress, ...] | UnsetType = UNSET
    bcc: tuple[EmailAddress, ...] | UnsetType = UNSET
    from_: Annotated[
        EmailAddress | UnsetType, Meta(description="Instead of the `from` of all; of the same domain.")
    ] = UNSET
    subject: str | UnsetType = UNSET
    headers: dict[str, str] | UnsetType = UNSET
    substitutions: Annotated[
        dict[str, str] | UnsetType,
        Meta(description="By tag, what stands for it in the subject and the content of this message."),
    ] = UNSET
    dynamic_template_data: Annotated[
        dict[str, Any] | UnsetType, Meta(description="Refused unless empty: there are no templates yet.")
    ] = UNSET
    custom_args: dict[str, str] | UnsetType = UNSET
    send_at: Annotated[
        int | UnsetType, Meta(description="Unix seconds, at most 72 hours ahead; what has passed means now.")
    ] = UNSET


class MailContent(_Part, frozen=True, kw_only=True):
    """The text in one form."""

    type: Annotated[str | UnsetType, Meta(description="Required: `text/plain`, `text/html` …")] = UNSET
    value: Annotated[str | UnsetType, Meta(description="Required.")] = UNSET


class MailAttachment(_Part, frozen=True, kw_only=True):
    """A file."""

    content: Annotated[str | UnsetType, Meta(description="Required; in base64.")] = UNSET
    filename: Annotated[str | UnsetType, Meta(description="Required.")] = UNSET
    type: str | UnsetType = UNSET
    disposition: Annotated[str | UnsetType, Meta(extra_json_schema={"enum": ["inline", "attachment"]})] = UNSET
    content_id: str | UnsetType = UNSET


class Asm(_Part, frozen=True, kw_only=True):
    """Unsubscribe groups; there are none yet, so that none is valid."""

    group_id: Annotated[int | UnsetType, Meta(description="Required.")] = UNSET
    groups_to_display: tuple[int, ...] | UnsetType = UNSET


class Switch(_Part, frozen=True, kw_only=True):
    """Something that can be on."""

    enable: bool | UnsetType = UNSET


class Footer(_Part, frozen=True, kw_only=True):
    """What is put below the text, in each form that the message has."""

    enable: bool | UnsetType = UNSET
    text: str | UnsetType = UNSET
    html: str | UnsetType = UNSET


class BlindCopy(_Part, frozen=True, kw_only=True):
    """Retired; read over."""

    enable: bool | UnsetType = UNSET
    email: str | UnsetType = UNSET


class SpamCheck(_Part, frozen=True, kw_only=True):
    """Retired; read over."""

    enable: bool | UnsetType = UNSET
    threshold: int | UnsetType = UNSET
    post_to_url: str | UnsetType = UNSET


class MailSettings(_Part, frozen=True, kw_only=True):
    """How this request is dealt with. Bypasses are kept: there are no lists yet that would hold mail back."""

    bypass_list_management: Switch | UnsetType = UNSET
    bypass_spam_management: Switch | UnsetType = UNSET
    bypass_bounce_management: Switch | UnsetType = UNSET
    bypass_unsubscribe_management: Switch | UnsetType = UNSET
    footer: Footer | UnsetType = UNSET
    sandbox_mode: Annotated[
        Switch | UnsetType, Meta(description="If enabled, the request is checked, and nothing is sent.")
    ] = UNSET
    bcc: BlindCopy | UnsetType = UNSET
    spam_check: SpamCheck | UnsetType = UNSET


class ClickTracking(_Part, frozen=True, kw_only=True):
    """Whether links are to be followed."""

    enable: bool | UnsetType = UNSET
    enable_text: bool | UnsetType = UNSET


class OpenTracking(_Part, frozen=True, kw_only=True):
    """Whether it is to be seen that a message was opened."""

    enable: bool | UnsetType = UNSET
    substitution_tag: str | UnsetType = UNSET


class SubscriptionTracking(_Part, frozen=True, kw_only=True):
    """Whether a link to unsubscribe is to be added."""

    enable: bool | UnsetType = UNSET
    text: str | UnsetType = UNSET
    html: str | UnsetType = UNSET
    substitution_tag: str | UnsetType = UNSET


class Ganalytics(_Part, frozen=True, kw_only=True):
    """What is to be added to links for Google Analytics."""

    enable: bool | UnsetType = UNSET
    utm_source: str | UnsetType = UNSET
    utm_medium: str | UnsetType = UNSET
    utm_term: str | UnsetType = UNSET
    utm_content: str | UnsetType = UNSET
    utm_campaign: str | UnsetType = UNSET


class TrackingSettings(_Part, frozen=True, kw_only=True):
    """What is to be tracked: kept with the message; nothing in it is rewritten yet."""

    click_tracking: ClickTracking | UnsetType = UNSET
    open_tracking: OpenTracking | UnsetType = UNSET
    subscription_tracking: SubscriptionTracking | UnsetType = UNSET
    ganalytics: Ganalytics | UnsetType = UNSET


class MailSend(_Part, frozen=True, kw_only=True, rename={"from_": "from"}):
    """One or more messages that have most in common."""

    personalizations: Annotated[
        tuple[Personalization, ...] | UnsetType,
        Meta(description="Required.", extra_json_schema={"minItems": 1, "maxItems": 1000}),
    ] = UNSET
    from_: Annotated[EmailAddress | UnsetType, Meta(description="Required.")] = UNSET
    reply_to: EmailAddress | UnsetType = UNSET
    reply_to_list: tuple[EmailAddress, ...] | UnsetType = UNSET
    subject: str | UnsetType = UNSET
    content: tuple[MailContent, ...] | UnsetType = UNSET
    attachments: tuple[MailAttachment, ...] | UnsetType = UNSET
    template_id: Annotated[str | UnsetType, Meta(description="Refused: there are no templates yet.")] = UNSET
    sections: Annotated[
        dict[str, str] | UnsetType, Meta(description="By tag, what stands for it in the values of substitutions.")
    ] = UNSET
    headers: dict[str, str] | UnsetType = UNSET
    categories: Annotated[
        tuple[str, ...] | UnsetType,
        Meta(description="Kept with the message; its events carry them.", extra_json_schema={"maxItems": 10}),
    ] = UNSET
    custom_args: Annotated[
        dict[str, str] | UnsetType, Meta(description="Kept with the message; its events carry them.")
    ] = UNSET
    send_at: Annotated[
        int | UnsetType, Meta(description="Unix seconds, at most 72 hours ahead; what has passed means now.")
    ] = UNSET
    batch_id: Annotated[str | UnsetType, Meta(description="From `POST /v3/mail/batch`.")] = UNSET
    asm: Annotated[Asm | UnsetType, Meta(description="Refused: there are no unsubscribe groups yet.")] = UNSET
    ip_pool_name: Annotated[str | UnsetType, Meta(description="Refused: there are no pools yet.")] = UNSET
    mail_settings: MailSettings | UnsetType = UNSET
    tracking_settings: TrackingSettings | UnsetType = UNSET
