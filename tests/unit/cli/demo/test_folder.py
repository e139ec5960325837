import os

import pytest

from gatepost.cli.demo.folder import MARKER, make_fresh_folder
from gatepost.primitives.errors import Misconfigured


@pytest.fixture
def make():
    descriptors = []

    def fresh(folder):
        descriptors.append(make_fresh_folder(folder))
        return descriptors[-1]

    yield fresh
    for descriptor in descriptors:
        os.close(descriptor)


def test_folder_is_made_for_its_owner_alone(make, tmp_path):
    make(tmp_path / "var" / "demo")

    assert (tmp_path / "var" / "demo" / MARKER).is_file()
    assert (tmp_path / "var" / "demo").stat().st_mode & 0o077 == 0


def test_folder_that_a_demo_made_is_emptied(make, tmp_path):
    elsewhere = tmp_path / "precious"
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    os.close(make_fresh_folder(tmp_path / "demo"))
    (tmp_path / "demo" / "state").mkdir()
    (tmp_path / "demo" / "state" / "file").touch()
    (tmp_path / "demo" / "link").symlink_to(elsewhere)

    make(tmp_path / "demo")

    assert [path.name for path in (tmp_path / "demo").iterdir()] == [MARKER]
    assert (elsewhere / "file").exists()


def test_empty_folder_is_taken(make, tmp_path):
    make(tmp_path)

    assert (tmp_path / MARKER).exists()


def test_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(Misconfigured, match="no demo made"):
        make_fresh_folder(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_no_folder_is_left_alone(tmp_path, kind):
    path = tmp_path / "demo"
    path.touch() if kind == "file" else path.symlink_to(tmp_path)

    with pytest.raises(Misconfigured, match="no folder"):
        make_fresh_folder(path)


def test_two_demos_do_not_share_a_folder(make, tmp_path):
    make(tmp_path / "demo")

    with pytest.raises(Misconfigured, match="another demo runs"):
        make_fresh_folder(tmp_path / "demo")
