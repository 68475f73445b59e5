"""Write a model's evaluation as one HTML page that needs nothing beside itself, for light and dark screens."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import ziaplot

from nextbasket.model.metrics import Calibration, Figure
from nextbasket.model.registry import ModelCard

Point = tuple[float, float]

METRIC_TITLES: Mapping[str, str] = {
    "auc": "AUC",
    "average_precision": "Average precision",
    "log_loss": "Log loss",
    "calibration_error": "Calibration error",
    "f1": "Mean F1 per order, at the threshold",
    "f1_expected": "Mean F1 per order, chosen baskets",
    "recall_at_10": "Recall at 10",
    "ndcg_at_10": "NDCG at 10",
}
"""The metrics' names for people, in the order they are shown."""

_NOTHING = "<td>&mdash;</td>"
_LOWER_IS_BETTER = frozenset({"log_loss", "calibration_error"})
_SHOWN_FEATURES = 20
_INKS = ("var(--series-1)", "var(--series-2)", "var(--series-3)", "var(--series-4)")
_RANKING_INK = "var(--muted)"


@dataclass(frozen=True, slots=True)
class Curve:
    """A scoring's curves: ROC as (false positive rate, recall), (recall, precision), (threshold, mean F1)."""

    name: str
    roc: tuple[Point, ...]
    precision_recall: tuple[Point, ...]
    f1: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class ReportedModel:
    """All that the page shows of one model; ``importance`` maps features to their share of the total gain."""

    card: ModelCard
    figures: Mapping[str, Figure]
    lead: Mapping[str, Figure]
    curve: Curve
    calibration: Calibration
    importance: Mapping[str, float]


def render(
    models: Sequence[ReportedModel],
    ranking: Curve,
    ranking_figures: Mapping[str, Figure],
    evaluation: Mapping[str, Any],
) -> str:
    """Return the page of the first model, with the others and the ranking beside it."""
    subject = models[0]
    card = subject.card
    inks = {model.card.full_name: _INKS[index % len(_INKS)] for index, model in enumerate(models)}
    curves = [*((model.curve, inks[model.card.full_name]) for model in models), (ranking, _RANKING_INK)]
    lines = [(curve.name, ink) for curve, ink in curves]
    share = evaluation["positives"] / evaluation["candidates"]
    data = "made-up data of the sample shop" if card.generated else "this shop's orders"
    return _PAGE.format(
        title=html.escape(card.full_name),
        lead=(
            f"{html.escape(card.title)}. Measured on {evaluation['shoppers']:,} shoppers that no training saw: "
            f"{evaluation['candidates']:,} candidates, {share:.1%} of them bought again; {data}."
        ),
        tiles=_tiles(subject, ranking_figures),
        table=_metrics_table(models, inks, ranking.name, ranking_figures),
        resamples=evaluation["resamples"],
        roc=_figure(
            "ROC",
            "Of the products bought again, how many are found, against how many of the others are called too. "
            "Further up and left is better; the dashed line is chance.",
            _plot(
                [(curve.roc, ink) for curve, ink in curves], "false positive rate", "recall", [((0.0, 0.0), (1.0, 1.0))]
            ),
            lines,
        ),
        precision=_figure(
            "Precision and recall",
            "Of the products called, how many are bought, as more and more are called. Higher is better; the dotted "
            "line is calling everything.",
            _plot([(c.precision_recall, ink) for c, ink in curves], "recall", "precision", [((0, share), (1, share))]),
            lines,
        ),
        calibration=_figure(
            "Calibration",
            "Candidates gathered by predicted probability: how often they were bought. On the dashed line a "
            "prediction of 30 % comes true three times in ten. Bins with fewer than 50 candidates are not drawn.",
            _plot(
                [(_bins(model.calibration), inks[model.card.full_name]) for model in models],
                "predicted probability",
                "share bought",
                [((0.0, 0.0), (1.0, 1.0))],
                dots=True,
            ),
            lines[:-1],
        ),
        f1=_figure(
            "Basket quality by threshold",
            "Mean F1 per order when everything above a probability goes into the basket. The dashed line is this "
            f"model's threshold, {card.threshold:.2f}, chosen without these shoppers.",
            _plot(
                [(curve.f1, ink) for curve, ink in curves],
                "threshold",
                "mean F1 per order",
                [((card.threshold, 0.0), (card.threshold, 1.0))],
                top=_above(max(f1 for curve, _ in curves for _, f1 in curve.f1)),
            ),
            lines,
        ),
        importance=_importance(subject),
        facts=_facts(card, evaluation),
    )


def _tiles(subject: ReportedModel, ranking: Mapping[str, Figure]) -> str:
    shown = []
    for metric in ("auc", "average_precision", "f1", "recall_at_10"):
        own, peer = subject.figures[metric].value, ranking[metric].value
        shown.append(
            f'<div class="tile"><span class="label">{METRIC_TITLES[metric]}</span>'
            f'<span class="number">{own:.3f}</span>'
            f'<span class="note">{own - peer:+.3f} to the frequency ranking</span></div>'
        )
    return "".join(shown)


def _metrics_table(
    models: Sequence[ReportedModel], inks: Mapping[str, str], ranking: str, ranking_figures: Mapping[str, Figure]
) -> str:
    heads = "".join(
        f'<th scope="col">{_swatch(inks[model.card.full_name])}{html.escape(model.card.full_name)}'
        f"<small>{model.card.fraction:.0%} of shoppers</small></th>"
        for model in models
    )
    rows = []
    for metric, title in METRIC_TITLES.items():
        found = [model.figures.get(metric) for model in models]
        best = _best(metric, [figure for figure in found if figure is not None])
        cells = "".join(_cell(figure, best) for figure in [*found, ranking_figures.get(metric)])
        lead = models[0].lead.get(metric)
        gain = _NOTHING if lead is None else f"<td>{lead.value:+.4f}{_range(lead, '+.4f')}</td>"
        note = " <small>lower is better</small>" if metric in _LOWER_IS_BETTER else ""
        rows.append(f'<tr><th scope="row">{title}{note}</th>{cells}{gain}</tr>')
    return (
        f'<table><thead><tr><th scope="col">Metric</th>{heads}'
        f'<th scope="col">{_swatch(_RANKING_INK)}{html.escape(ranking)}<small>up_order_rate</small></th>'
        f'<th scope="col">Lead<small>{html.escape(models[0].card.full_name)} over the ranking</small></th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _best(metric: str, figures: Sequence[Figure]) -> float | None:
    values = [figure.value for figure in figures]
    if not values:
        return None
    return min(values) if metric in _LOWER_IS_BETTER else max(values)


def _cell(figure: Figure | None, best: float | None) -> str:
    if figure is None:
        return _NOTHING
    mark = ' class="best"' if best is not None and figure.value == best else ""
    return f"<td{mark}>{figure.value:.4f}{_range(figure, '.4f')}</td>"


def _range(figure: Figure, form: str) -> str:
    return f"<small>{figure.low:{form}} to {figure.high:{form}}</small>"


def _swatch(ink: str) -> str:
    return f'<i class="swatch" style="background:{ink}"></i>'


def _figure(title: str, explained: str, plot: str, lines: Sequence[tuple[str, str]]) -> str:
    legend = "".join(f"<li>{_swatch(ink)}{html.escape(name)}</li>" for name, ink in lines)
    return (
        f'<figure><figcaption><h2>{title}</h2><p>{explained}</p></figcaption>{plot}<ul class="legend">{legend}</ul>'
        "</figure>"
    )


def _plot(
    lines: Sequence[tuple[Sequence[Point], str]],
    x_name: str,
    y_name: str,
    guides: Sequence[tuple[Point, Point]],
    *,
    dots: bool = False,
    top: float = 1.0,
) -> str:
    """Draw lines between 0 and 1 (and 0 and ``top``); colours are the page's, so the plot follows light and dark."""
    graph = ziaplot.Graph()
    graph.css(_PLOT_STYLE)
    graph.size(560, 380)
    for axis, last in ((graph.xticks, 1.0), (graph.yticks, top)):
        step = 0.2 if last > 0.6 else 0.1 if last > 0.2 else 0.05
        marks = [step * index for index in range(round(last / step) + 1)]
        axis(marks, [f"{mark:.3g}" for mark in marks])
    for start, end in guides:
        guide = ziaplot.PolyLine([start[0], end[0]], [start[1], min(end[1], top)])
        graph.add(guide.color("var(--guide)").stroke("dashed").strokewidth(1.5))
    # The page's own model is drawn last, above the others.
    for points, ink in reversed(lines):
        if not points:
            continue
        line = ziaplot.PolyLine([x for x, _ in points], [y for _, y in points])
        line.color(ink).strokewidth(2.2)
        if dots:
            line.marker("round", radius=3.5)
        graph.add(line)
    # Names stand outside the drawing: beside its ticks they would touch the numbers.
    drawing = _svg(graph, f"{y_name} against {x_name}")
    return f'<div class="axis">{y_name}</div>{drawing}<div class="axis x">{x_name}</div>'


def _above(value: float) -> float:
    """Return the axis end for values up to ``value``: the next of a few round numbers."""
    return next((end for end in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8) if value <= end), 1.0)


def _bins(found: Calibration) -> tuple[Point, ...]:
    full = found.rows >= 50
    x, y = found.predicted[full] / found.rows[full], found.bought[full] / found.rows[full]
    return tuple(zip(x.tolist(), y.tolist(), strict=True))


def _importance(subject: ReportedModel) -> str:
    top = sorted(subject.importance.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN_FEATURES]
    widest = top[0][1] if top and top[0][1] > 0 else 1.0
    bars = "".join(
        f'<li><span>{html.escape(name)}</span><i style="width:{share / widest:.2%}"></i><b>{share:.1%}</b></li>'
        for name, share in top
    )
    left_out = subject.card.left_out
    missing = f" Left out, as this shop's data hold no value: {html.escape(', '.join(left_out))}." if left_out else ""
    return (
        '<figure class="wide"><figcaption><h2>What the model looks at</h2><p>The loss that all splits on a feature '
        f"removed, as a share of the whole: the {len(top)} strongest of {len(subject.card.features)} features."
        f'{missing}</p></figcaption><ol class="bars">{bars}</ol></figure>'
    )


def _svg(drawing: Any, label: str) -> str:
    element = drawing.svgxml()
    element.set("role", "img")
    element.set("aria-label", label)
    # The page scales the drawing by its view box.
    for side in ("width", "height"):
        element.attrib.pop(side, None)
    return ElementTree.tostring(element, encoding="unicode")


def _facts(card: ModelCard, evaluation: Mapping[str, Any]) -> str:
    training = card.counts["train"]
    rows = [
        ("Trained", f"{card.trained_at}, {card.seconds:.1f} s, {card.rounds} rounds"),
        (
            "Learned from",
            f"{training['shoppers']:,} shoppers, {training['rows']:,} candidates, {training['positives']:,} bought",
        ),
        ("Fraction of the shoppers", f"{card.fraction:.0%}"),
        ("Threshold for “likely”", f"{card.threshold:.2f}"),
        ("Threshold of the frequency ranking", f"{evaluation['ranking_threshold']:.2f}"),
        ("Parameters", ", ".join(f"{name} {value}" for name, value in card.parameters.items())),
        ("Features", ", ".join(card.features)),
        ("Table snapshots", ", ".join(f"{name} {snapshot}" for name, snapshot in card.snapshots.items())),
        ("Code", ", ".join(f"{name} {value[:12]}" for name, value in card.code.items())),
        ("Fingerprint", card.fingerprint[:16]),
    ]
    return "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in rows)


_PLOT_STYLE = """
    Canvas { color: none; }
    Graph { color: none; edge_color: var(--axis); edge_width: 1; font_size: 13; }
    Graph.GridX { color: var(--grid); stroke: solid; stroke_width: 1; }
    Graph.GridY { color: var(--grid); stroke: solid; stroke_width: 1; }
    Graph.TickX { color: var(--soft); font_size: 13; height: 5; stroke_width: 1; pad: 0.1; }
    Graph.TickY { color: var(--soft); font_size: 13; height: 5; stroke_width: 1; pad: 0.1; }
    PolyLine { edge_width: 0; }
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · nextbasket</title>
<style>
:root {{
  --paper: #fbfbf9; --card: #ffffff; --ink: #1b1d1f; --soft: #5b6167; --line: #e3e4e0; --grid: #ecede9;
  --axis: #a9adb0; --guide: #83888c; --muted: #8a9096;
  --series-1: #0b6e4f; --series-2: #c8553d; --series-3: #3f63b5; --series-4: #9a6fb0;
}}
@media (prefers-color-scheme: dark) {{
  :root {{
    --paper: #131516; --card: #1b1e20; --ink: #eceeee; --soft: #a4abb0; --line: #2d3236; --grid: #272b2e;
    --axis: #5a6167; --guide: #7c848a; --muted: #8b9299;
    --series-1: #45c496; --series-2: #f0866c; --series-3: #86a5f2; --series-4: #c9a2dd;
  }}
}}
* {{ box-sizing: border-box; }}
body {{
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}}
main {{ max-width: 1180px; margin: 0 auto; padding: 40px 24px 64px; }}
h1 {{ font-size: 2rem; line-height: 1.2; margin: 0 0 8px; letter-spacing: -0.02em; }}
h2 {{ font-size: 1.1rem; margin: 0 0 4px; }}
p {{ margin: 0; color: var(--soft); max-width: 75ch; }}
small {{ display: block; font-size: 0.75rem; font-weight: 400; color: var(--soft); white-space: nowrap; }}
.tiles {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); gap: 16px; margin: 28px 0; }}
.tile, figure, section {{ background: var(--card); border: 1px solid var(--line); border-radius: 10px; }}
.tile {{ padding: 16px 20px; display: flex; flex-direction: column; }}
.label, .note {{ font-size: 0.85rem; color: var(--soft); }}
.number {{ font-size: 2.1rem; line-height: 1.25; font-variant-numeric: tabular-nums; letter-spacing: -0.02em; }}
section {{ padding: 20px; margin: 0 0 16px; overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; margin-top: 12px; font-variant-numeric: tabular-nums; }}
th, td {{ text-align: right; padding: 8px 12px; border-top: 1px solid var(--line); vertical-align: top; }}
thead th {{ border-top: 0; font-size: 0.9rem; white-space: nowrap; }}
th:first-child {{ text-align: left; padding-left: 0; font-weight: 500; }}
td.best {{ font-weight: 650; }}
.plots {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 16px; }}
figure {{ margin: 0; padding: 20px; }}
figure.wide {{ grid-column: 1 / -1; }}
svg {{ display: block; width: 100%; height: auto; }}
.axis {{ font-size: 0.8rem; color: var(--soft); margin-top: 14px; }}
.axis.x {{ text-align: right; margin-top: 2px; }}
.bars {{ list-style: none; margin: 16px 0 0; padding: 0; display: grid; gap: 5px; }}
.bars li {{ display: grid; grid-template-columns: minmax(150px, 17rem) 1fr 3.5rem; gap: 12px; align-items: center; }}
.bars span {{ font-size: 0.85rem; color: var(--soft); text-align: right; overflow-wrap: anywhere; }}
.bars i {{ height: 14px; border-radius: 2px; background: var(--series-1); min-width: 1px; }}
.bars b {{ font-size: 0.85rem; font-weight: 500; text-align: right; font-variant-numeric: tabular-nums; }}
svg text {{ font-family: inherit; }}
.legend {{ list-style: none; padding: 0; margin: 8px 0 0; display: flex; flex-wrap: wrap; gap: 4px 18px; }}
.legend li {{ font-size: 0.85rem; }}
.swatch {{ display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 7px; }}
dl {{ display: grid; grid-template-columns: minmax(160px, max-content) 1fr; gap: 8px 24px; margin: 12px 0 0; }}
dt {{ color: var(--soft); }}
dd {{ margin: 0; overflow-wrap: anywhere; }}
@media (max-width: 640px) {{ dl {{ grid-template-columns: 1fr; gap: 0; }} dd {{ margin-bottom: 10px; }} }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{lead}</p>
<div class="tiles">{tiles}</div>
<section><h2>Metrics with 95 % intervals</h2>
<p>Intervals come from {resamples} bootstrap draws of whole shoppers; the lead is measured draw by draw on the same
shoppers.</p>{table}</section>
<div class="plots">{roc}{precision}{calibration}{f1}{importance}</div>
<section style="margin-top:16px"><h2>Where it comes from</h2><dl>{facts}</dl></section>
</main>
</body>
</html>
"""
