"""A real Postfix in a folder of its own; the machine's own Postfix, if any, is left alone. Needs root."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

BASE = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
shlib_directory = /usr/lib/postfix
meta_directory = /etc/postfix
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/log/postfix.log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
"""

SERVICES = """
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
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def find_program(name: str) -> str | None:
    """Where a system program is, also outside an ordinary user's PATH."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


class PostfixInstance:
    """One Postfix.

    Args:
        folder: Empty or absent; everything it writes is below.
        settings: Lines of main.cf beyond the base.
        listeners: For each smtpd: port and ``-o`` overrides.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, str], listeners: Sequence[tuple[int, Sequence[str]]]
    ) -> None:
        self.folder = folder
        self._config = folder / "config"
        owner = pwd.getpwnam("postfix")
        folder.mkdir(parents=True, exist_ok=True)
        for parent in (folder, *folder.parents[:-1]):
            if parent.stat().st_uid == os.getuid() and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o055)
        for name in ("config", "queue", "data", "log"):
            (folder / name).mkdir()
        os.chown(folder / "data", owner.pw_uid, owner.pw_gid)
        lines = [f"{name} = {value}" for name, value in settings.items()]
        (self._config / "main.cf").write_text(BASE.format(folder=folder) + "\n".join(lines) + "\n")
        smtpds = [
            f"127.0.0.1:{port} inet n - n - - smtpd " + " ".join(f"-o {override}" for override in overrides)
            for port, overrides in listeners
        ]
        (self._config / "master.cf").write_text("\n".join(smtpds) + SERVICES)
        self._run("check")  # makes the folders of the queue

    def start(self) -> None:
        """Start its processes."""
        self._run("start")

    def stop(self) -> None:
        """End its processes."""
        program = find_program("postfix")
        subprocess.run([str(program), "-c", self._config, "stop"], check=False, capture_output=True, timeout=60)

    def log(self) -> str:
        """What it logged."""
        path = self.folder / "log" / "postfix.log"
        return path.read_text() if path.exists() else ""

    def _run(self, command: str) -> None:
        program = find_program("postfix")
        done = subprocess.run(
            [str(program), "-c", self._config, command], check=False, capture_output=True, text=True, timeout=60
        )
        if done.returncode:
            raise RuntimeError(f"postfix {command} failed: {done.stderr}{self.log()}")
