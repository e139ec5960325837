"""``gatepost check``: what is wrong with this set-up, and how to mend it."""

import json

import click

from gatepost.cli.main import CommandContext
from gatepost.primitives.errors import Misconfigured
from gatepost.runtime.compose import diagnose
from gatepost.runtime.finding import Finding, Verdict, fail, ok

_COLOURS = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Write findings as JSON.")
@click.pass_context
def check(ctx: click.Context, *, as_json: bool) -> None:
    """Look at settings, DNS, certificates, clock, permissions, ports and limits; change nothing.

    Exits with 1 if a finding keeps the service from working or its secrets from being safe.
    """
    findings = _find(ctx.obj)
    if as_json:
        rows = [
            {"subject": row.subject, "verdict": row.verdict.value, "text": row.text, "mend": row.mend}
            for row in findings
        ]
        click.echo(json.dumps(rows, indent=2))
    else:
        for finding in findings:
            _print(finding)
    ctx.exit(int(any(finding.verdict is Verdict.FAIL for finding in findings)))


def _find(context: CommandContext) -> list[Finding]:
    try:
        settings = context.settings
    except Misconfigured as error:
        return [fail("settings", str(error), f"correct {context.config_path}")]
    return [ok("settings", f"{context.config_path} can be read"), *diagnose(settings)]


def _print(finding: Finding) -> None:
    verdict = click.style(f"{finding.verdict.value:4}", fg=_COLOURS[finding.verdict])
    click.echo(f"{verdict}  {finding.subject}: {finding.text}")
    if finding.mend:
        click.echo(f"      → {finding.mend}")
