"""One process of several that use the same one-time thing at the same moment: ``python -m tests.support.replay``.

Reads one JSON object: where the control plane is, what to use, how often. Says "ready", waits for a line, tries as
often as it is told, and prints how many of its tries succeeded.
"""

import asyncio
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from gatepost.primitives.decision import Deny
from gatepost.primitives.secret import Secret
from gatepost.runtime.control_plane import ControlPlane, open_control_plane
from gatepost.system.entropy import SystemEntropy
from gatepost.system.password_hash import Argon2PasswordHash
from gatepost.system.security_key import WebAuthnKeys
from gatepost.tenancy.accounts import attempt_limit
from gatepost.tenancy.accounts.console_session import next_step
from gatepost.tenancy.accounts.people import PeopleUseCases
from gatepost.tenancy.accounts.session_keeper import Held, Visitor
from gatepost.tenancy.accounts.two_factor import CodeProof, RecoveryProof

VISITOR = Visitor(peer=ip_address("192.0.2.1"))


@dataclass
class StillClock:
    instant: datetime

    def now(self) -> datetime:
        return self.instant


def compose(plane: ControlPlane) -> PeopleUseCases:
    """Put the use cases together, with the cheapest Argon2id there is."""
    return PeopleUseCases.of(
        plane.people_tools,
        hasher=Argon2PasswordHash(plane.entropy, memory_kib=8, passes=1),
        security_keys=WebAuthnKeys("relay.test", ["https://relay.test"]),
        issuer="relay.test",
        common_passwords=frozenset(),
    )


def try_once(plane: ControlPlane, people: PeopleUseCases, what: str, given: dict[str, Any], number: int) -> bool:
    if what == "reset":
        return not isinstance(people.sign_in.with_reset_token(Secret(given["token"]), VISITOR), Deny)
    if what == "invitation":
        accepted = people.joining.accept(
            Secret(given["token"]), username=f"{given['name']}-{number}", first_name="", last_name="",
            password=Secret("tin-lantern-oboe-47"), visitor=VISITOR,
        )  # fmt: skip
        return not isinstance(asyncio.run(accepted), Deny)
    if what == "email":
        return _confirm_email(plane, people, given)
    # Each try has a session of its own: what is used once is the proof, not the session.
    person = plane.people_stores.teammates.resolve("ann")
    assert person is not None
    opened = people.keeper.open(person, "password", VISITOR)
    assert not isinstance(opened, Deny)
    token_hash = plane.keyring.hash_secret(f"gatepost token\n{opened.token.reveal()}".encode())
    held = Held(session=opened.session, person=person, token_hash=token_hash)
    proof = CodeProof(given["code"]) if what == "totp" else RecoveryProof(Secret(given["code"]))
    proved = people.proof.prove(held, proof, VISITOR)
    return not isinstance(proved, Deny) and next_step(proved.session, has_factor=True) is None


def _confirm_email(plane: ControlPlane, people: PeopleUseCases, given: dict[str, Any]) -> bool:
    """Try in the one session that asked, under the token that it had then."""
    token_hash = plane.keyring.hash_secret(f"gatepost token\n{given['session']}".encode())
    session, person = plane.people_stores.sessions.find(token_hash), plane.people_stores.teammates.resolve("ann")
    if session is None or person is None:
        return False
    held = Held(session=session, person=person, token_hash=token_hash)
    return not isinstance(people.email_changes.confirm(held, Secret(given["token"]), VISITOR), Deny)


def main() -> None:
    given = json.loads(sys.stdin.readline())
    for kind in attempt_limit.AttemptKind:
        # Not what is under test here, and it would stop most of the tries.
        attempt_limit.PER_USER[kind] = attempt_limit.PER_ADDRESS[kind] = ()
    clock = StillClock(datetime.fromisoformat(given["now"]))
    with open_control_plane(given["url"], Path(given["keyring"]), clock, SystemEntropy()) as plane:
        people = compose(plane)
        print("ready", flush=True)
        sys.stdin.readline()
        with ThreadPoolExecutor(4) as threads:
            tries = threads.map(
                lambda number: try_once(plane, people, given["what"], given, number), range(given["tries"])
            )
            print(sum(tries), flush=True)


if __name__ == "__main__":
    main()
