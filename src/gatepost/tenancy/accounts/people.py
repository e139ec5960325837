"""Everything people do, put together on one set of tools."""

from dataclasses import dataclass
from typing import Self

from gatepost.tenancy.accounts.email_change import EmailChanges
from gatepost.tenancy.accounts.enrolment import Enrolment
from gatepost.tenancy.accounts.factor_proof import FactorProof
from gatepost.tenancy.accounts.first_owner import FirstOwners
from gatepost.tenancy.accounts.joining import Inviting, Joining
from gatepost.tenancy.accounts.membership import Membership
from gatepost.tenancy.accounts.person_ports import PasswordHash, SecurityKeys
from gatepost.tenancy.accounts.session_keeper import PeopleTools, SessionKeeper
from gatepost.tenancy.accounts.sign_in import SignIn


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleUseCases:
    """The use cases about people, for one process."""

    tools: PeopleTools
    keeper: SessionKeeper
    sign_in: SignIn
    proof: FactorProof
    enrolment: Enrolment
    inviting: Inviting
    joining: Joining
    first_owners: FirstOwners
    membership: Membership
    email_changes: EmailChanges

    @classmethod
    def of(
        cls,
        tools: PeopleTools,
        *,
        hasher: PasswordHash,
        security_keys: SecurityKeys,
        issuer: str,
        common_passwords: frozenset[str],
    ) -> Self:
        """Put them together. ``issuer`` is what authenticator applications call the service."""
        proof = FactorProof(tools, security_keys)
        membership = Membership(tools, hasher, common_passwords)
        return cls(
            tools=tools,
            keeper=SessionKeeper(tools),
            sign_in=SignIn(tools, hasher),
            proof=proof,
            enrolment=Enrolment(tools, security_keys, proof, issuer),
            inviting=Inviting(tools),
            joining=Joining(tools, hasher, common_passwords),
            first_owners=FirstOwners(tools, hasher, common_passwords),
            membership=membership,
            email_changes=EmailChanges(tools, membership),
        )
