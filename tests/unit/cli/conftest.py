import pytest

from gatepost.cli.main import main


@pytest.fixture
def run(capsys):
    """Runs a command line in this process; returns its status, output and error output."""

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture
def config(tmp_path):
    return tmp_path / "etc" / "gatepost.toml"


@pytest.fixture
def initialised(run, config, tmp_path):
    """A settings file with its state directory and a self-signed certificate."""
    status, _, error = run(
        "init", "--config", config, "--host-name", "mail.example.com", "--state-dir", tmp_path / "state",
        "--self-signed", "--no-questions",
    )  # fmt: skip
    assert (status, error) == (0, "")
    return config
