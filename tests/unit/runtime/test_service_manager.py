import os
import socket

import pytest

from gatepost.runtime.service_manager import notify


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_state_is_sent_to_the_socket_that_is_named(tmp_path, kind):
    name = str(tmp_path / "n") if kind == "path" else f"@gatepost-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name.replace("@", "\0", 1) if kind == "abstract" else name)
        manager.settimeout(5)

        notify("READY=1", {"NOTIFY_SOCKET": name})

        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "relative"}, {"NOTIFY_SOCKET": "/nobody/there"}])
def test_nobody_listening_is_no_error(environment):
    notify("READY=1", environment)
