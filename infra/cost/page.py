"""Writes docs/cost.md from its prose in page.md, and the figure that README.md repeats."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from string import Template

from infra.cost.model import (
    BLOBS,
    MOST_PULLS_OF_A_MACHINE,
    TB_IN_GB,
    Load,
    Usage,
    calls,
    cost,
    dated,
    default,
    is_traced,
    options,
    others,
    prices,
)

PAGE = Path(__file__).parents[2] / "docs" / "cost.md"
LOADS = {
    "at rest": Load(),
    "1,000 pulls a day": Load(1_000),
    "100,000 pulls a day": Load(100_000),
    "10 million pulls a day": Load(10_000_000),
    "at rest, 1 TB stored": Load(stored_gb=TB_IN_GB),
}
# The services of a bill, and how the names of their prices begin.
SERVICES = {
    "Lambda": "lambda_",
    "API Gateway": "api_",
    "DynamoDB": "table_",
    "DynamoDB's backup": "backup_",
    "S3": "bucket_",
    "Secrets Manager": "secret_",
    "CloudWatch Logs": "log_",
    "X-Ray": "trace",
}
COUNTED = {
    "turn": "a turn of `timers` at rest",
    "pull": "a pull",
    "record": "the first pull of an hour, in addition",
    "hour": "an hour in which a repository was pulled",
}
# Prices that the prose quotes.
QUOTED = {"internet_gb", "cdn_gb", "nat_gb", "ecr_gb_month", "bucket_gb_month"}


def figure() -> str:
    """Returns the words about an installation at rest that README.md repeats."""
    return f"At rest it costs {cost(default(Load())):.2f} USD a month"


def document() -> str:
    """Returns the whole of docs/cost.md."""
    region, date = dated()
    return Template(Path(__file__).with_name("page.md").read_text("utf-8")).substitute(
        {name: f"{quantity:,}" for name, quantity in calls()["assumed"].items()},
        **{name: f"{prices()[name].usd:g}" for name in QUOTED},
        region=region,
        date=date,
        figure=figure(),
        layers=BLOBS - 1,
        requests=calls()["pull"]["requests"],
        traced="on" if is_traced() else "off",
        most=f"{MOST_PULLS_OF_A_MACHINE:,}",
        default=_default_table(),
        options=_options_table(),
        others=_others_table(),
        counted=_counted_table(),
        prices=_price_table(),
    )


def _default_table() -> str:
    def row(prefix: str) -> list[str]:
        return [_usd(cost(_only(default(load), prefix))) for load in LOADS.values()]

    rows = {name: row(prefix) for name, prefix in SERVICES.items()}
    return _table(["", *LOADS], {**rows, "**all**": [f"**{cell}**" for cell in row("")]})


def _options_table() -> str:
    loads = {name: load for name, load in LOADS.items() if not load.stored_gb}
    rows = {name: [_usd(cost(options(load)[name])) for load in loads.values()] for name in options(Load())}
    return _table(["", *loads], rows)


def _others_table() -> str:
    def cell(usage: Usage | None) -> str:
        return "more machines" if usage is None else _usd(cost(usage))

    rows = {name: [cell(others(load)[name]) for load in LOADS.values()] for name in others(Load())}
    return _table(["", *LOADS], {"**Cloudberth**": [cell(default(load)) for load in LOADS.values()], **rows})


def _counted_table() -> str:
    kinds = ("requests", "read_units", "write_units")
    rows = {what: [f"{calls()[name][kind]:g}" for kind in kinds] for name, what in COUNTED.items()}
    return _table(["", "requests", "read units", "write units"], rows)


def _price_table() -> str:
    rows = {
        f"`{name}`": [f"{price.usd:g}", f"{price.per:,}", price.what, f"[AWS]({price.at})", price.seen]
        for name, price in prices().items()
    }
    return _table(["price", "USD", "for", "of what", "list", "seen"], rows)


def _only(usage: Usage, prefix: str) -> Usage:
    return {name: quantity for name, quantity in usage.items() if name.startswith(prefix)}


def _usd(amount: float) -> str:
    return f"{amount:,.2f}" if amount < 100 else f"{amount:,.0f}"


def _table(head: Sequence[str], rows: Mapping[str, Iterable[str]]) -> str:
    lines = [head, ["---", *["---:" for _ in head[1:]]], *([name, *cells] for name, cells in rows.items())]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
