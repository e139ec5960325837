"""What a command changes and asks: the control plane, opened for the user who gave the command."""

import os

from gatepost.runtime.control_plane import ControlPlane, open_control_plane
from gatepost.runtime.settings import Settings
from gatepost.system.clock import SystemClock
from gatepost.system.entropy import SystemEntropy
from gatepost.system.operator import identify_operator


def compose_control_plane(settings: Settings) -> ControlPlane:
    """Open the control plane for the user who gives the command; whoever asked closes it."""
    return open_control_plane(
        settings.control_database_url.reveal(),
        settings.keyring_path,
        SystemClock(),
        SystemEntropy(),
        actor=identify_operator(os.environ),
    )
