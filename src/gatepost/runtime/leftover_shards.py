"""Shards from when there were more mail workers: which of them still need one."""

from contextlib import closing

from gatepost.mailflow.queue.recipient import Predicate
from gatepost.primitives.errors import RelayError
from gatepost.runtime.control_client import find_shards
from gatepost.runtime.settings import Settings
from gatepost.storage.queue_sqlite.reader import QueueReader
from gatepost.storage.queue_sqlite.schema import ShardNotMade
from gatepost.storage.queue_sqlite.shard import ShardPaths
from gatepost.telemetry.logger import get_logger

log = get_logger()


def find_leftover_shards(settings: Settings) -> list[int]:
    """Return the shards without a worker of their own that still owe somebody an outcome.

    An empty one needs no worker, and stays where it is: its events and its books are still asked for. One that cannot
    be read would keep no worker either; `gatepost queue summary` says what to do about it.
    """
    count = settings.mail_worker_count
    return [index for index in find_shards(settings.queue_dir) if index >= count and _owes_an_outcome(settings, index)]


def _owes_an_outcome(settings: Settings, index: int) -> bool:
    try:
        with closing(QueueReader(ShardPaths.of(settings.queue_dir, index).database)) as reader:
            return reader.count_recipients(Predicate()) > 0
    except ShardNotMade:
        return False
    except RelayError as error:
        log.error("leftover_shard_unreadable", shard=index, reason=str(error))  # noqa: TRY400 - the text says it all
        return False
