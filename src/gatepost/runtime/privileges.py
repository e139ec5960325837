"""Root is given up for good, once the ports are open."""

import grp
import os
import pwd
from pathlib import Path

from gatepost.primitives.errors import Misconfigured


def find_user(name: str) -> pwd.struct_passwd:
    """Return a user of this machine. Raises ``Misconfigured`` if there is none of that name, or it is root."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise Misconfigured(
            f'there is no user {name!r} on this machine: make one (`useradd --system {name}`), or change "user"'
        ) from error
    if entry.pw_uid == 0:
        raise Misconfigured(f'"user" is {name!r}, which is root: name one without rights of its own')
    return entry


def drop_privileges(name: str | None) -> None:
    """Become that user, with its groups and without a way back; does nothing unless this is root and a name is given.

    Raises:
        Misconfigured: The user does not exist.
    """
    if name is None or os.geteuid() != 0:
        return
    user = find_user(name)
    os.setgroups([user.pw_gid, *[group.gr_gid for group in grp.getgrall() if name in group.gr_mem]])
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    os.environ["HOME"] = user.pw_dir


def require_readable(*paths: Path) -> None:
    """Find out, as the user that this process has become, whether its children will find what they need.

    Raises:
        Misconfigured: One of these files cannot be read.
    """
    for path in paths:
        if not os.access(path, os.R_OK):
            who = pwd.getpwuid(os.geteuid()).pw_name
            raise Misconfigured(
                f"{path} cannot be read by {who}, as whom the workers run: open it and the directories above it "
                "to that user, or put it elsewhere (nothing below /root or a home directory)"
            )
