"""Postfix with Dovecot SASL and OpenDKIM, as Debian ships them, set up for the same work as Gatepost."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from tests.support.ports import free_port, wait_for_port
from tests.support.postfix_instance import PostfixInstance, find_program

from benchmarks.rig import DESTINATION_CONNECTIONS, Shape, end_process, make_certificate, make_signing_key

USER, PASSWORD = "apikey", "benchmark-password"

DOVECOT_CONF = """
base_dir = {folder}/dovecot-run
log_path = {folder}/dovecot.log
protocols =
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
default_internal_user = dovecot
default_login_user = dovenull
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/dovecot-users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}}
service auth {{
  client_limit = 4096
  unix_listener {folder}/queue/private/auth {{
    mode = 0660
    user = postfix
    group = postfix
  }}
}}
service anvil {{
  client_limit = 4096
}}
"""

OPENDKIM_CONF = """
Mode s
Canonicalization relaxed/relaxed
Domain example.test
Selector s1
KeyFile {folder}/dkim.key
Socket inet:{milter_port}@127.0.0.1
UserID opendkim:postfix
Syslog no
InternalHosts 0.0.0.0/0
RequireSafeKeys no
OversignHeaders From
"""


class Postfix:
    """The three programs, in a folder of their own; the machine's own Postfix is left alone."""

    name = "Postfix + Dovecot SASL + OpenDKIM"

    def __init__(self) -> None:
        self._folder = Path()
        self._children: list[subprocess.Popen[bytes]] = []
        self._postfix: PostfixInstance | None = None
        self._starttls_port = self._implicit_port = 0

    @staticmethod
    def find_missing() -> list[str]:
        """Name what is not installed."""
        programs = ("postfix", "dovecot", "opendkim")
        missing = [f"{program} (Debian)" for program in programs if find_program(program) is None]
        return missing if os.geteuid() == 0 else [*missing, "root's rights"]

    def start(self, folder: Path, sink_port: int) -> None:
        """Start Dovecot's authentication, OpenDKIM and Postfix."""
        self._folder = folder
        self._starttls_port, self._implicit_port, milter_port = free_port(), free_port(), free_port()
        values = {"folder": folder, "milter_port": milter_port}
        listeners = [(self._starttls_port, []), (self._implicit_port, ["smtpd_tls_wrappermode=yes"])]
        self._postfix = PostfixInstance(folder, self._settings(sink_port, milter_port), listeners)
        (folder / "dovecot-run").mkdir()
        (folder / "dovecot.conf").write_text(DOVECOT_CONF.format(**values))
        (folder / "dovecot-users").write_text(f"{USER}:{PASSWORD}\n")
        (folder / "opendkim.conf").write_text(OPENDKIM_CONF.format(**values))
        shutil.chown(make_signing_key(folder), "opendkim", "postfix")
        self._spawn("dovecot", "-F", "-c", folder / "dovecot.conf")
        self._spawn("opendkim", "-f", "-x", folder / "opendkim.conf")
        self._wait_for(folder / "queue" / "private" / "auth")
        wait_for_port(milter_port)
        self._postfix.start()
        wait_for_port(self._implicit_port)

    def arguments(self, shape: Shape) -> list[str]:
        """Port and credentials for the load program."""
        port = self._implicit_port if shape.tls == "implicit" else self._starttls_port
        return ["-p", str(port), "-u", USER, "-w", PASSWORD]

    def roots(self) -> list[int]:
        """Postfix's master, Dovecot's, and OpenDKIM."""
        master = int((self._folder / "queue" / "pid" / "master.pid").read_text())
        return [master, *(child.pid for child in self._children)]

    def stop(self) -> None:
        """End all three."""
        if self._postfix is not None:
            self._postfix.stop()
            self._postfix = None
        while self._children:
            end_process(self._children.pop())

    def _settings(self, sink_port: int, milter_port: int) -> dict[str, str]:
        certificate, key = make_certificate(self._folder)
        return {
            "myhostname": "postfix.test",
            "mydestination": "",
            "relayhost": f"[127.0.0.1]:{sink_port}",
            "smtpd_tls_cert_file": str(certificate),
            "smtpd_tls_key_file": str(key),
            "smtpd_tls_security_level": "may",
            "smtpd_tls_auth_only": "yes",
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": "private/auth",
            "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
            "smtpd_recipient_restrictions": "permit_sasl_authenticated, reject",
            "smtpd_client_connection_count_limit": "0",
            "smtpd_milters": f"inet:127.0.0.1:{milter_port}",
            "milter_default_action": "tempfail",
            "default_process_limit": "200",
            "initial_destination_concurrency": str(DESTINATION_CONNECTIONS),
            "default_destination_concurrency_limit": str(DESTINATION_CONNECTIONS),
            "smtp_destination_concurrency_limit": str(DESTINATION_CONNECTIONS),
            "in_flow_delay": "0",
            "message_size_limit": "41943040",
        }

    def _spawn(self, program: str, *arguments: str | Path) -> None:
        with (self._folder / f"{program}.out").open("wb") as output:
            command = [str(find_program(program)), *arguments]
            self._children.append(subprocess.Popen(command, stdout=output, stderr=output))

    @staticmethod
    def _wait_for(path: Path, *, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not path.exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path.name} did not appear")
            time.sleep(0.05)
