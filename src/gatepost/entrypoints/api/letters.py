"""What the service writes to people."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gatepost.primitives.secret import Secret
from gatepost.tenancy.accounts.invitation import Invitation
from gatepost.tenancy.accounts.person_ports import SystemMailer
from gatepost.tenancy.accounts.teammate import Teammate


@dataclass(frozen=True, slots=True, kw_only=True)
class Letters:
    """Words invitations and resets.

    Attributes:
        host_name: What the service calls itself.
        show_token: How a token is given: as a link, or as it is.
    """

    mailer: SystemMailer
    host_name: str
    show_token: Callable[[str], str]

    async def send_invitation(self, invitation: Invitation, token: Secret[str]) -> None:
        """Mail an invitation. Raises as the mailer does. What others typed is not in it: it goes to strangers."""
        await self.mailer.send(
            invitation.email,
            f"You are invited to an account at {self.host_name}",
            f"Somebody invites you to an account of the mail service {self.host_name}.\n\n"
            f"{self.show_token(token.reveal())}\n\n"
            f"The invitation is for this address, can be used once, and ends {_day(invitation.expires_at)}.\n"
            "You will choose a password and enrol a second factor. If you do not know what this is about, do nothing."
            "\n",
        )

    async def send_reset(self, person: Teammate, token: Secret[str]) -> None:
        """Mail a reset token. Raises as the mailer does."""
        await self.mailer.send(
            person.email,
            f"A new password at {self.host_name}",
            f"Somebody, maybe you, asked for a new password for {person.username} at {self.host_name}.\n\n"
            f"{self.show_token(token.reveal())}\n\n"
            "It can be used once, within an hour, together with your second factor or one of your recovery codes.\n"
            "If it was not you, do nothing: the password stays as it is.\n",
        )


def _day(at: datetime) -> str:
    return at.strftime("on %Y-%m-%d at %H:%M UTC")
