"""What the service writes to people."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gatepost.primitives.secret import Secret
from gatepost.tenancy.accounts.invitation import Invitation
from gatepost.tenancy.accounts.person_ports import EmailChange, SystemMailer
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

    async def send_email_token(self, change: EmailChange, token: Secret[str]) -> None:
        """Mail the token that proves a person's new address. Raises as the mailer does. It may go to a stranger."""
        await self.mailer.send(
            change.email,
            f"Confirm your new address at {self.host_name}",
            f"Somebody, maybe you, wants to sign in at the mail service {self.host_name} with this address.\n\n"
            f"{self.show_token(token.reveal())}\n\n"
            f"It can be used once, until {_day(change.expires_at)[3:]}, and only in the session that asked for it.\n"
            "If it was not you, do nothing and give it to nobody: without it, nothing changes.\n",
        )

    async def send_sender_token(self, address: str, token: Secret[str]) -> None:
        """Mail the token that proves an address. Raises as the mailer does. It goes to strangers, as invitations do."""
        await self.mailer.send(
            address,
            f"Confirm this address at {self.host_name}",
            f"Somebody, maybe you, wants to send mail as {address} through the mail service {self.host_name}.\n\n"
            f"{self.show_token(token.reveal())}\n\n"
            "It can be used once, within 48 hours, and only by the account that asked for it.\n"
            "If it was not you, do nothing and give it to nobody: without it, nobody can send as you here.\n",
        )

    async def send_dns_records(self, address: str, lines: Sequence[str]) -> None:
        """Mail DNS records to whoever is to publish them. Raises as the mailer does.

        What others typed is not in it, but for the names in the records: it goes to strangers.

        Args:
            address: To whom.
            lines: The records, as a zone file has them.
        """
        records = "\n\n".join(lines)
        await self.mailer.send(
            address,
            f"DNS records to publish for the mail service {self.host_name}",
            f"Somebody with an account at the mail service {self.host_name} asks you to publish these DNS records.\n\n"
            f"{records}\n\n"
            "They let that account send mail in the name of the domain in which they stand. Publish them only if you "
            "look\nafter that domain and know who asks. If you do not know what this is about, do nothing.\n",
        )


def _day(at: datetime) -> str:
    return at.strftime("on %Y-%m-%d at %H:%M UTC")
