"""Postfix with Dovecot SASL and OpenDKIM, as Debian ships them, set up for the same work as Gatepost."""

import os
import pwd
import shutil
import subprocess
import time
from pathlib import Path

from benchmarks.rig import Shape, end_process, free_port, make_certificate, wait_for_port

USER, PASSWORD = "apikey", "benchmark-password"

MAIN_CF = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
shlib_directory = /usr/lib/postfix
meta_directory = /etc/postfix
mail_owner = postfix
setgid_group = postdrop
maillog_file = /var/log/gatepost-benchmark-postfix.log
maillog_file_prefixes = /var
myhostname = postfix.test
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relayhost = [127.0.0.1]:{sink_port}
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
smtpd_client_connection_count_limit = 0
smtpd_milters = inet:127.0.0.1:{milter_port}
milter_default_action = tempfail
default_process_limit = 200
default_destination_concurrency_limit = 50
initial_destination_concurrency = 50
smtp_destination_concurrency_limit = 50
smtp_connection_cache_on_demand = yes
in_flow_delay = 0
message_size_limit = 41943040
"""

MASTER_CF = """
127.0.0.1:{starttls_port} inet n - n - - smtpd
127.0.0.1:{implicit_port} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

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
        self._starttls_port = self._implicit_port = 0

    @staticmethod
    def missing_programs() -> list[str]:
        """Name what is not installed."""
        programs = ("postfix", "dovecot", "opendkim")
        path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
        return [program for program in programs if shutil.which(program, path=path) is None]

    def start(self, folder: Path, sink_port: int) -> None:
        """Start Dovecot's authentication, OpenDKIM and Postfix."""
        self._folder = folder
        self._starttls_port, self._implicit_port = free_port(), free_port()
        certificate, key = make_certificate(folder)
        values = {
            "folder": folder,
            "sink_port": sink_port,
            "certificate": certificate,
            "key": key,
            "starttls_port": self._starttls_port,
            "implicit_port": self._implicit_port,
            "milter_port": (milter_port := free_port()),
        }
        owner = pwd.getpwnam("postfix")
        for name in ("config", "queue", "data", "dovecot-run"):
            (folder / name).mkdir()
        folder.chmod(0o755)
        os.chown(folder / "data", owner.pw_uid, owner.pw_gid)
        (folder / "config" / "main.cf").write_text(MAIN_CF.format(**values))
        (folder / "config" / "master.cf").write_text(MASTER_CF.format(**values))
        (folder / "dovecot.conf").write_text(DOVECOT_CONF.format(**values))
        (folder / "dovecot-users").write_text(f"{USER}:{PASSWORD}\n")
        (folder / "opendkim.conf").write_text(OPENDKIM_CONF.format(**values))
        subprocess.run(["openssl", "genrsa", "-out", folder / "dkim.key", "2048"], check=True, capture_output=True)
        shutil.chown(folder / "dkim.key", "opendkim", "postfix")
        # The check makes the queue's folders; Dovecot's socket lives in one of them.
        self._postfix("check")
        self._spawn("dovecot", "-F", "-c", folder / "dovecot.conf")
        self._spawn("opendkim", "-f", "-x", folder / "opendkim.conf")
        self._wait_for(folder / "queue" / "private" / "auth")
        wait_for_port(milter_port)
        self._postfix("start")
        wait_for_port(self._implicit_port)

    def arguments(self, shape: Shape) -> list[str]:
        """Port and credentials for the load program."""
        port = self._implicit_port if shape.tls == "implicit" else self._starttls_port
        return ["-p", str(port), "-u", USER, "-w", PASSWORD]

    def stop(self) -> None:
        """End all three."""
        subprocess.run([_find("postfix"), "-c", self._folder / "config", "stop"], check=False, capture_output=True)
        for child in self._children:
            end_process(child)

    def _postfix(self, command: str) -> None:
        subprocess.run([_find("postfix"), "-c", self._folder / "config", command], check=True, capture_output=True)

    def _spawn(self, program: str, *arguments: str | Path) -> None:
        output = (self._folder / f"{program}.out").open("wb")
        self._children.append(subprocess.Popen([_find(program), *arguments], stdout=output, stderr=output))

    @staticmethod
    def _wait_for(path: Path, *, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not path.exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path.name} did not appear")
            time.sleep(0.05)


def _find(program: str) -> str:
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise FileNotFoundError(f"{program} is not installed")
    return path
