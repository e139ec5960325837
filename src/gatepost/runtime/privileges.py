"""Root is given up for good, once the ports are open."""

import grp
import os
import pwd

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
