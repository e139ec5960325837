import tomllib
from pathlib import Path

from gatepost.runtime.settings import Listener, ListenerTLS, Settings
from gatepost.runtime.settings_file import render_settings_file
from gatepost.runtime.settings_loader import read_settings

CHOSEN = {
    "host_name": "a.example",
    "state_dir": Path("/s"),
    "tls.certificate": Path("/c"),
    "tls.private_key": Path("/k"),
}


def read(text):
    return read_settings(tomllib.loads(text), {}, folder=Path("/"))


def test_file_says_what_was_chosen_and_nothing_else():
    text = render_settings_file(CHOSEN)

    table = {key: value for key, value in tomllib.loads(text).items() if value not in ({}, {"push": {}})}
    assert table == {"host_name": "a.example", "state_dir": "/s", "tls": {"certificate": "/c", "private_key": "/k"}}


def test_file_can_be_read_as_settings():
    assert read(render_settings_file(CHOSEN)).tls.private_key == Path("/k")


def test_commented_defaults_are_the_defaults():
    lines = render_settings_file({"host_name": "a.example"}).split("\n")
    values = [
        line.removeprefix("# ")
        if line.startswith(("# [[", "# ")) and (" = " in line or line.startswith("# [["))
        else line
        for line in lines
    ]
    uncommented = [
        line for line in values if not line.startswith("#") and not line.endswith('= ""') and "etc/gatepost" not in line
        and "GATEPOST" not in line and "state_dir" not in line and "database" not in line.split(" = ")[0]
    ]  # fmt: skip
    kept = [line for line in uncommented if " = " not in line or line.split(" = ")[0].isidentifier()]

    assert read("\n".join(kept)) == Settings(host_name="a.example")


def test_every_setting_is_there_with_its_reason():
    text = render_settings_file({})

    for name in ("max_size_octets", "expire_after", "nameservers", "sending_networks", "keyring_file"):
        before, _, _ = text.partition(f"# {name} = ")
        assert before.rstrip().split("\n")[-1].startswith("# ")


def test_listeners_are_written_where_they_were_chosen():
    chosen = (Listener(port=2525, address="127.0.0.1"), Listener(port=2465, tls=ListenerTLS.IMPLICIT))

    text = render_settings_file({**CHOSEN, "listeners": chosen})

    assert read(text).listeners == chosen
    assert "These are the default" not in text
