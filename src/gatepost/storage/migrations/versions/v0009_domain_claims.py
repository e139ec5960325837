"""Claims to domains get numbers, return paths, places in our own zone, and keys that live and end."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the tables anew, with what the old ones held."""
    connection = op.get_bind()
    claims = connection.execute(sa.text("SELECT * FROM domains ORDER BY created_at, name")).mappings().all()
    keys = connection.execute(sa.text("SELECT * FROM dkim_keys")).mappings().all()
    assignments = connection.execute(sa.text("SELECT * FROM domain_assignments")).mappings().all()
    op.drop_table("domain_assignments")
    op.drop_table("dkim_keys")
    op.drop_table("domains")
    domains, owners = _create_domains(), _create_owners()
    dkim_keys = _create_keys()
    _insert(_create_assignments(), [dict(each) for each in assignments])
    _create_zone_and_leases()
    numbers = {(claim["account_id"], claim["name"]): number for number, claim in enumerate(claims, start=1)}
    _insert(domains, [_claim(claim, number) for claim, number in zip(claims, numbers.values(), strict=True)])
    _insert(
        owners,
        [
            {"name": claim["name"], "account_id": claim["account_id"]}
            for claim in claims
            if claim["state"] == "verified"
        ],
    )
    _insert(dkim_keys, [_key(key, numbers[key["account_id"], key["domain_name"]]) for key in keys])
    if connection.dialect.name == "postgresql" and claims:
        op.execute(f"SELECT setval(pg_get_serial_sequence('domains', 'id'), {len(claims)})")


def _create_domains() -> sa.Table:
    table = op.create_table(
        "domains",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("verified_at", sa.BigInteger),
        sa.Column("return_path", sa.Text, nullable=False),
        sa.Column("label", sa.Text),
        sa.Column("is_default", sa.Boolean, nullable=False),
        sa.Column("custom_spf", sa.Boolean, nullable=False),
        sa.Column("addresses", sa.JSON, nullable=False),
        sa.Column("checked_at", sa.BigInteger),
        sa.Column("failing_since", sa.BigInteger),
        sa.Column("rotation_requested_at", sa.BigInteger),
        sa.Column("rotation_is_urgent", sa.Boolean, nullable=False),
        sa.Column("zone_serial", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_domains"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_domains_accounts"),
        sa.UniqueConstraint("label", name="uq_domains_label"),
        sa.CheckConstraint("state IN ('pending', 'verified')", name="ck_domains_state"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_domains_account_id_name", "domains", ["account_id", "name"])
    return table


def _create_owners() -> sa.Table:
    return op.create_table(
        "domain_owners",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_domain_owners"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_domain_owners_accounts"),
    )


def _create_keys() -> sa.Table:
    return op.create_table(
        "dkim_keys",
        sa.Column("domain_id", sa.Integer, nullable=False),
        sa.Column("selector", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("algorithm", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("changed_at", sa.BigInteger),
        sa.Column("sealed_private_key", sa.LargeBinary, nullable=False),
        sa.Column("public_key", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "selector", name="pk_dkim_keys"),
        sa.ForeignKeyConstraint(["domain_id"], ["domains.id"], name="fk_dkim_keys_domains", ondelete="CASCADE"),
        sa.CheckConstraint("state IN ('next', 'active', 'retired', 'emptied')", name="ck_dkim_keys_state"),
    )


def _create_assignments() -> sa.Table:
    table = op.create_table(
        "domain_assignments",
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("domain_name", sa.Text, nullable=False),
        sa.Column("subuser_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "domain_name", "subuser_id", name="pk_domain_assignments"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_domain_assignments_accounts"),
        sa.ForeignKeyConstraint(["subuser_id"], ["accounts.id"], name="fk_domain_assignments_accounts_subuser"),
    )
    op.create_index("ix_domain_assignments_subuser_id", "domain_assignments", ["subuser_id"])
    return table


def _create_zone_and_leases() -> None:
    zone = op.create_table(
        "dns_zone",
        sa.Column("serial", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("serial", name="pk_dns_zone"),
    )
    op.bulk_insert(zone, [{"serial": 1}])
    op.create_table(
        "branded_links",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("subdomain", sa.Text, nullable=False),
        sa.Column("is_default", sa.Boolean, nullable=False),
        sa.Column("is_valid", sa.Boolean, nullable=False),
        sa.Column("checked_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_branded_links"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_branded_links_accounts"),
        sa.UniqueConstraint("account_id", "domain", "subdomain", name="uq_branded_links_account_id_domain_subdomain"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "reverse_dns",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("ip", sa.Text, nullable=False),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("subdomain", sa.Text, nullable=False),
        sa.Column("is_valid", sa.Boolean, nullable=False),
        sa.Column("checked_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_reverse_dns"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_reverse_dns_accounts"),
        sa.UniqueConstraint("account_id", "ip", name="uq_reverse_dns_account_id_ip"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )


def _claim(old: sa.RowMapping, number: int) -> dict[str, object]:
    return {
        **{name: old[name] for name in ("account_id", "name", "state", "created_at", "verified_at")},
        "id": number,
        "return_path": "",
        "is_default": False,
        "custom_spf": False,
        "addresses": [],
        "rotation_is_urgent": False,
        "zone_serial": 0,
    }


def _key(old: sa.RowMapping, number: int) -> dict[str, object]:
    kept = ("selector", "position", "algorithm", "sealed_private_key", "public_key", "created_at")
    return {**{name: old[name] for name in kept}, "domain_id": number, "state": "active"}


def _insert(table: sa.Table, rows: Sequence[dict[str, object]]) -> None:
    if rows:
        op.bulk_insert(table, list(rows))
