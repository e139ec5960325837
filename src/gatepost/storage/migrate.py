"""Bring a control-plane database to the schema this program needs; make it if there is none."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from gatepost.storage.database import create_file, make_engine, sqlite_path, translated

_SCRIPTS = Path(__file__).with_name("migrations")


def migrate(url: str) -> None:
    """Run every migration not yet run, all in one transaction.

    Afterwards the schema is the newest and on stable storage; a crash, or an error, leaves the old one. Two at once
    take turns, and the second finds nothing to do. May be called again at any time.

    Raises:
        Misconfigured: The URL is not one we can open, or the file cannot be made.
        Transient: Another process kept the database busy for too long.
    """
    path = sqlite_path(url)
    create_file(path)
    engine = make_engine(path)
    try:
        with (
            translated(path),
            engine.execution_options(gatepost_begin="BEGIN IMMEDIATE").begin() as connection,
        ):
            command.upgrade(alembic_config(connection), "head")
    finally:
        engine.dispose()


def alembic_config(connection: Connection) -> Config:
    """Return the configuration with which Alembic runs our scripts on that connection."""
    config = Config(attributes={"connection": connection})
    # Config values pass through %-interpolation.
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
