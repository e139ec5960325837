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
    dynamic_template_data: Annotated[dict[str, Any] | UnsetType, Meta(description="Refused: no templates yet.")] = UNSET
    custom_args: dict[str, str] | UnsetType = UNSET
    send_at: Annotated[int | UnsetType, Meta(description="Refused if it lies in the future.")] = UNSET


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
    """Unsubscribe groups; refused yet."""

    group_id: int
    groups_to_display: tuple[int, ...] | UnsetType = UNSET


class Switch(_Part, frozen=True, kw_only=True):
    """Something that can be on."""

    enable: bool | UnsetType = UNSET


class MailSettings(_Part, frozen=True, kw_only=True):
    """How this request is dealt with. Bypasses are taken: there are no lists yet that would hold mail back."""

    bypass_list_management: Switch | UnsetType = UNSET
    bypass_spam_management: Switch | UnsetType = UNSET
    bypass_bounce_management: Switch | UnsetType = UNSET
    bypass_unsubscribe_management: Switch | UnsetType = UNSET
    footer: Annotated[Switch | UnsetType, Meta(description="Refused if enabled.")] = UNSET
    sandbox_mode: Annotated[
        Switch | UnsetType, Meta(description="If enabled, the request is checked, and nothing is sent.")
    ] = UNSET
    bcc: Annotated[Switch | UnsetType, Meta(description="Refused if enabled.")] = UNSET
    spam_check: Annotated[Switch | UnsetType, Meta(description="Refused if enabled.")] = UNSET


class TrackingSettings(_Part, frozen=True, kw_only=True):
    """What is tracked; nothing yet, so each is refused if enabled."""

    click_tracking: Switch | UnsetType = UNSET
    open_tracking: Switch | UnsetType = UNSET
    subscription_tracking: Switch | UnsetType = UNSET
    ganalytics: Switch | UnsetType = UNSET


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
    template_id: Annotated[str | UnsetType, Meta(description="Refused: no templates yet.")] = UNSET
    sections: Annotated[dict[str, str] | UnsetType, Meta(description="Refused unless empty.")] = UNSET
    headers: dict[str, str] | UnsetType = UNSET
    categories: Annotated[
        tuple[str, ...] | UnsetType, Meta(description="Checked, and not kept yet.", extra_json_schema={"maxItems": 10})
    ] = UNSET
    custom_args: Annotated[dict[str, str] | UnsetType, Meta(description="Checked, and not kept yet.")] = UNSET
    send_at: Annotated[int | UnsetType, Meta(description="Refused if it lies in the future.")] = UNSET
    batch_id: Annotated[str | UnsetType, Meta(description="Refused: no batches yet.")] = UNSET
    asm: Annotated[Asm | UnsetType, Meta(description="Refused: no unsubscribe groups yet.")] = UNSET
    ip_pool_name: Annotated[str | UnsetType, Meta(description="Refused: no pools yet.")] = UNSET
    mail_settings: MailSettings | UnsetType = UNSET
    tracking_settings: TrackingSettings | UnsetType = UNSET
