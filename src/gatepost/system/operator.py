"""Who gives a command: the user that the operating system knows, for the audit log."""

import os
import pwd
from collections.abc import Mapping
from ipaddress import ip_address

from gatepost.tenancy.audit.entry import Actor, ActorKind


def identify_operator(environment: Mapping[str, str]) -> Actor:
    """Describe the user of this process.

    The user's number is what the kernel says. The rest comes from the environment and is his own account of himself:
    who became root through sudo, and from which address he came by SSH. It is kept because it mostly is true and
    nothing depends on it.
    """
    uid = os.getuid()
    name = _user_name(uid)
    sudo_user = environment.get("SUDO_USER", "")
    is_sudo = uid == 0 and sudo_user.isprintable() and sudo_user not in ("", name)
    return Actor(
        kind=ActorKind.OPERATOR,
        id=f"{name} ({sudo_user} by sudo)" if is_sudo else name,
        origin=_origin(environment),
        credential=f"uid {uid}",
    )


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _origin(environment: Mapping[str, str]) -> str:
    try:
        return f"ssh {ip_address(environment.get('SSH_CONNECTION', '').split(' ')[0])}"
    except ValueError:
        pass
    try:
        return os.ttyname(0)
    except OSError:
        return ""
