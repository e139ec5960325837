"""The control-plane database: the unit of work, on either engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import local
from typing import Final

from sqlalchemy import Connection, text

from gatepost.primitives.errors import Misconfigured, Transient
from gatepost.storage.engine import ControlEngine, VersionConnection, open_engine, translated
from gatepost.storage.schema import SCHEMA_REVISION


class Database:
    """One process's way to the control plane. Open it after forking; share it between threads as you like.

    Raises:
        Misconfigured: The URL is not one we can open, there is no such database, it would not keep what it has
            committed, or its schema is older than this program.
    """

    def __init__(self, url: str) -> None:
        self._engine: Final[ControlEngine] = open_engine(url)
        self._present: Final = _Present()
        try:
            with translated(self._engine.place):
                self._engine.require_fit()
            self._require_schema()
        except Transient as error:
            self.close()
            raise Misconfigured(
                f"{self._engine.place} holds no control plane: run `gatepost migrate`, or mend database_url ({error})"
            ) from error
        except Misconfigured:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a unit of work that sees one consistent snapshot and changes nothing.

        Inside ``writing``, it sees what that has changed so far.
        """
        with translated(self._engine.place):
            if (present := self._present.connection) is not None:
                yield present
                return
            with self._engine.reads.begin() as connection:
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a unit of work that commits when the block ends well, and leaves no trace when it raises.

        It is the only writer while it lasts, so what it reads stays true until it commits. When the block has been
        left, the changes are on stable storage.

        Inside another one of the same thread it is a part of that: undone alone if it raises, and durable only when
        the outermost block has been left. So the changes of several stores become one.

        Raises:
            Transient: The database is busy, full or failing; nothing was changed.
        """
        with translated(self._engine.place):
            if (present := self._present.connection) is not None:
                with present.begin_nested():
                    yield present
                return
            with self._engine.writes.begin() as connection:
                self._engine.lock(connection)
                self._present.connection = connection
                try:
                    yield connection
                finally:
                    self._present.connection = None

    def open_version(self) -> VersionConnection:
        """Open what tells of changes; whoever asked closes it."""
        return self._engine.open_version()

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.close()

    def _require_schema(self) -> None:
        place = self._engine.place
        try:
            with self.reading() as connection:
                revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        except Misconfigured as error:
            raise Misconfigured(f"{place} holds no control plane: run `gatepost migrate` ({error})") from error
        if not isinstance(revision, str) or revision < SCHEMA_REVISION:
            raise Misconfigured(f"{place} has schema {revision}, {SCHEMA_REVISION} is needed: run `gatepost migrate`")


class _Present(local):
    """The connection of the unit of work that this thread is in."""

    connection: Connection | None = None
