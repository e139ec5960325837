"""A real receiving MX: Postfix delivering to a Maildir, with OpenDKIM verifying what comes in."""

import email
import email.policy
import shutil
import subprocess
import time
from email.message import EmailMessage
from pathlib import Path

from tests.support.ports import free_port, wait_for_port
from tests.support.postfix_instance import PostfixInstance, find_program

OPENDKIM_CONF = """
Mode v
Socket inet:{milter_port}@127.0.0.1
UserID opendkim
Syslog no
AlwaysAddARHeader yes
AuthservID receiver.test
TestPublicKeys {folder}/keys
SignatureAlgorithm rsa-sha256
InternalHosts {folder}/internal-hosts
"""


class ReceivingMX:
    """Takes mail for every mailbox of ``dest.test``.

    Args:
        keys: DKIM key records by name, as OpenDKIM would find them in the DNS.
    """

    def __init__(self, folder: Path, keys: dict[str, str], *, port: int) -> None:
        self.port = port
        self._folder = folder
        milter_port = free_port()
        self._postfix = PostfixInstance(
            folder / "postfix",
            {
                "myhostname": "receiver.test",
                "mydestination": "",
                "virtual_mailbox_domains": "dest.test",
                "virtual_mailbox_maps": "static:Maildir/",
                "virtual_mailbox_base": str(folder / "mail"),
                "virtual_uid_maps": "static:65534",
                "virtual_gid_maps": "static:65534",
                "smtpd_milters": f"inet:127.0.0.1:{milter_port}",
                "milter_default_action": "tempfail",
                "smtputf8_enable": "yes",
                "message_size_limit": "41943040",
                "mailbox_size_limit": "0",
                "virtual_mailbox_limit": "0",
            },
            [(self.port, [])],
        )
        (folder / "mail").mkdir()
        shutil.chown(folder / "mail", 65534, 65534)
        (folder / "keys").write_text(
            "".join(f"{name} {record}\n" for name, record in keys.items() if "._domainkey." in name)
        )
        (folder / "internal-hosts").write_text("192.0.2.1\n")
        (folder / "opendkim.conf").write_text(OPENDKIM_CONF.format(folder=folder, milter_port=milter_port))
        folder.chmod(0o755)
        with (folder / "opendkim.out").open("wb") as output:
            self._opendkim = subprocess.Popen(
                [str(find_program("opendkim")), "-f", "-x", str(folder / "opendkim.conf")],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        wait_for_port(milter_port)
        self._postfix.start()
        wait_for_port(self.port)

    def wait_for(self, subject: str, *, seconds: float = 30) -> EmailMessage:
        """Return the message with that subject once it has come.

        Raises:
            AssertionError: It did not come in time; the Postfix log is shown.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for path in (self._folder / "mail" / "Maildir" / "new").glob("*"):
                message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
                if message["Subject"] == subject:
                    return message
            time.sleep(0.05)
        raise AssertionError(f"no message with the subject {subject!r} after {seconds} s\n{self._postfix.log()}")

    def count(self, subject: str) -> int:
        """How many messages with that subject have come."""
        folder = self._folder / "mail" / "Maildir" / "new"
        return sum(email.message_from_bytes(path.read_bytes())["Subject"] == subject for path in folder.glob("*"))

    def stop(self) -> None:
        """End every process."""
        self._postfix.stop()
        self._opendkim.terminate()
        self._opendkim.wait(20)
