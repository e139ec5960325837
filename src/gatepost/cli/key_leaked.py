"""``gatepost key leaked``: revoke every key that stands in a text, from standard input."""

import sys

import click

from gatepost.cli.certainty import settle_and_hold
from gatepost.cli.context import CommandContext
from gatepost.cli.output import say
from gatepost.mailflow.queue.recipient import Predicate
from gatepost.tenancy.access import api_key
from gatepost.tenancy.access.leaked import revoke_leaked

_MAX_OCTETS = 16 << 20


@click.command()
@click.pass_obj
def leaked(context: CommandContext) -> None:
    """Revoke every key that stands somewhere in standard input, and hold what it has queued.

    Pipe in a file, a log, a mail; what is in it is neither stored nor shown.
    """
    texts = api_key.find_all(sys.stdin.buffer.read(_MAX_OCTETS))
    with context.control_plane() as plane:
        found = revoke_leaked(plane.keys, texts, hash_secret=plane.keyring.hash_secret, now=plane.clock.now())
    revoked = [each for each in found if each is not None]
    for each in revoked:
        was = "" if each.was_valid else ", as it was already, or had ended"
        settle_and_hold(
            context,
            Predicate(account_id=each.account_id, key_id=each.key_id),
            done=f"Key {each.key_id} of account {each.account_id} is revoked{was}",
            reason="key leaked",
        )
    others = len(texts) - len(revoked)
    say(f"{len(revoked)} keys revoked; {others} texts look like a key and are none of this service.")
