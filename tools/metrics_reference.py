"""docs/reference/metrics.md, from the metrics as a process declares them."""

from collections.abc import Iterator

from prometheus_client import Metric

from gatepost.telemetry.metrics import Counter, Gauge, Histogram, Metrics

INTRODUCTION = """\
# Metrics

Made from `src/gatepost/telemetry/metrics.py` by `tools/metrics_reference.py`; do not edit.

`GET /metrics` on the operations address (`[operations]`, by default `http://127.0.0.1:9125/metrics`) answers in the
Prometheus text format, without authentication. The numbers are those of all worker processes together; they begin at
zero when the service starts. No label holds anything that a client chose. What to watch:
[run in production](../how-to/run-in-production.md#watch-it).

| metric | type | labels | meaning |
|---|---|---|---|
"""


def render() -> str:
    """Return the whole reference."""
    metrics = Metrics()
    # One collector each, in the order of their declaration: what is exposed has neither labels nor series yet.
    families = list(metrics.registry.collect())
    declared = [each for each in vars(metrics).values() if isinstance(each, (Counter, Histogram, Gauge))]
    return INTRODUCTION + "\n".join(_rows(declared, families)) + "\n"


def _rows(declared: list[Counter | Histogram | Gauge], families: list[Metric]) -> Iterator[str]:
    for metric, family in zip(declared, families, strict=True):
        suffix = "_total" if isinstance(metric, Counter) else ""
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "none"
        yield f"| `{family.name}{suffix}` | {family.type} | {labels} | {family.documentation} |"
