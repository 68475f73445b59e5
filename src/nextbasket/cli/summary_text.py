"""The summary of a run as people read it."""

from collections.abc import Mapping
from typing import Any

from nextbasket.cli.text import aligned

SHOWN_METRICS = {
    "auc": "AUC",
    "average_precision": "avg. precision",
    "log_loss": "log loss",
    "f1": "F1",
    "recall_at_10": "Recall@10",
    "ndcg_at_10": "NDCG@10",
}
"""Metrics shown on the terminal, by their name in the documents."""


def summary_text(done: Mapping[str, Any]) -> str:
    """Return the whole summary."""
    parts = []
    if done["generated"]:
        made = done["generated"]
        parts.append(
            f"This shop is GENERATED ({made['shoppers']:,} shoppers, seed {made['seed']}); it is no real data."
        )
    parts.append(aligned(("table", "rows"), [(name, f"{rows or 0:,}") for name, rows in done["tables"].items()]))
    parts.append(_lines_text(done["lines"]))
    parts += [f"note: {note}" for note in done["notes"]]
    if done["metrics"]:
        parts.append(f"Models on {done['held_out_shoppers']:,} held-out shoppers:")
        parts.append(metrics_text(done["metrics"]))
    if done["basket"]:
        basket = done["basket"]
        rows = [
            (f"{one['probability']:.0%}", str(one["product_name"] or one["product_id"])) for one in basket["products"]
        ]
        parts.append(f"The next basket of shopper {basket['shopper']}:")
        parts.append(aligned(("probability", "product"), rows))
    timed = [f"{one['step']} {'-' if one['skipped'] else format(one['seconds'], '.1f')}" for one in done["steps"]]
    parts.append(f"{done['seconds']:.1f} s: " + ", ".join(timed) + "   (- was up to date)")
    parts.append(_next_text(done))
    return "\n\n".join(parts)


def metrics_text(metrics: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Return the models' metrics side by side, each with its 95 % interval."""
    shown = [name for name in SHOWN_METRICS if any(name in figures for figures in metrics.values())]
    rows = [[model, *(_figure(figures.get(name)) for name in shown)] for model, figures in metrics.items()]
    return aligned(("model", *(SHOWN_METRICS[name] for name in shown)), rows)


def _figure(figure: Mapping[str, float] | None) -> str:
    if figure is None:
        return "-"
    return f"{figure['value']:.4f} [{figure['low']:.4f}, {figure['high']:.4f}]"


def _lines_text(lines: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [
        (
            name,
            f"{fates['files']:,}",
            f"{fates['accepted']:,}",
            f"{fates['merged']:,}",
            f"{sum(fates['dropped'].values()):,}",
            f"{fates['quarantined']:,}",
        )
        for name, fates in lines.items()
    ]
    text = aligned(("lines of", "files", "accepted", "merged", "dropped", "quarantined"), rows)
    reasons = [
        f"  dropped from {name}: {count:,} ({reason})"
        for name, fates in lines.items()
        for reason, count in sorted(fates["dropped"].items(), key=lambda item: -item[1])
    ]
    return "\n".join([text, *reasons])


def _next_text(done: Mapping[str, Any]) -> str:
    home = done["home"]
    shopper = done["basket"]["shopper"] if done["basket"] else "ID"
    lines = [
        "What next:",
        f"  nextbasket --home {home} tables",
        f"  nextbasket --home {home} query @prd_features",
        f"  nextbasket --home {home} predict --shopper {shopper}",
        f"  nextbasket --home {home} run --source YOUR_FOLDER     adds a delivery",
    ]
    if done["report"]:
        lines.append(f"  open {done['report']}")
    return "\n".join(lines)
