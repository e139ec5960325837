"""Bring a control-plane database to the schema this program needs; make it if there is none."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from gatepost.storage.engine import open_engine, translated

_SCRIPTS = Path(__file__).with_name("migrations")


def migrate(url: str) -> None:
    """Run every migration not yet run, all in one transaction.

    Afterwards the schema is the newest and on stable storage; a crash, or an error, leaves the old one. Two at once
    take turns, and the second finds nothing to do. May be called again at any time.

    Raises:
        Misconfigured: The URL is not one we can open, or the file cannot be made; on PostgreSQL, tables that cannot be.
        Transient: Another process kept the database busy for too long, or it cannot be reached.
    """
    engine = open_engine(url)
    engine.create()
    try:
        with translated(engine.place), engine.writes.begin() as connection:
            engine.lock_for_migration(connection)
            command.upgrade(alembic_config(connection), "head")
    finally:
        engine.writes.dispose()


def alembic_config(connection: Connection) -> Config:
    """Return the configuration with which Alembic runs our scripts on that connection."""
    config = Config(attributes={"connection": connection})
    # Config values pass through %-interpolation.
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
