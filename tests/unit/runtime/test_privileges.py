import os
import subprocess
import sys

import pytest

from gatepost.primitives.errors import Misconfigured
from gatepost.runtime.privileges import drop_privileges, find_user, require_readable

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up root")


def test_user_is_found_by_name():
    assert find_user("nobody").pw_name == "nobody"


@pytest.mark.parametrize(("name", "said"), [("no-such-user", "useradd"), ("root", "which is root")])
def test_user_that_will_not_do_is_told(name, said):
    with pytest.raises(Misconfigured, match=said):
        find_user(name)


def test_without_a_user_nothing_happens():
    before = os.getresuid()

    drop_privileges(None)

    assert os.getresuid() == before


@as_root
def test_root_is_given_up_without_a_way_back():
    code = (
        "import os\n"
        "from gatepost.runtime.privileges import drop_privileges\n"
        "os.setgroups([0, 4])\n"
        "drop_privileges('nobody')\n"
        "print(*os.getresuid(), *os.getresgid(), 0 in os.getgroups())\n"
        "try:\n    os.seteuid(0)\nexcept PermissionError:\n    print('no way back')\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=30
    ).stdout.split("\n")

    user = find_user("nobody")
    assert said[0] == " ".join([str(user.pw_uid)] * 3 + [str(user.pw_gid)] * 3 + ["False"])
    assert said[1] == "no way back"


def test_what_the_workers_cannot_read_is_told_before_they_start(tmp_path):
    (tmp_path / "there").touch()
    require_readable(tmp_path / "there")

    with pytest.raises(Misconfigured, match=r"gone cannot be read by \w+, as whom the workers run"):
        require_readable(tmp_path / "there", tmp_path / "gone")
