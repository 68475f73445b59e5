"""sample, run, and the pipeline's steps one by one."""

import time
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nextbasket.cli.session import Session, session
from nextbasket.cli.summary_text import summary_text
from nextbasket.errors import UsageError
from nextbasket.model.definition import MODELS
from nextbasket.pipeline.steps import PIPELINE, Step, step
from nextbasket.pipeline.steps import until as steps_until

if TYPE_CHECKING:
    from nextbasket.app.actions import Actions
    from nextbasket.app.shop import Shop
    from nextbasket.pipeline.run import StepOutcome

ForceOption = Annotated[bool, typer.Option("--force", help="Run also what is up to date.")]


class AsOfChoice(StrEnum):
    """Which build of the features."""

    TRAINING = "training"
    SERVING = "serving"
    BOTH = "both"


AsOfOption = Annotated[AsOfChoice, typer.Option("--as-of", help="Which build of the features.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (sample, run, land, crawl, load, prepare, features, train, evaluate, score):
        app.command()(command)


def sample(
    context: typer.Context,
    to: Annotated[Path, typer.Option(help="The folder to write; new or empty.")],
    shoppers: Annotated[int, typer.Option(min=1, max=10_000_000, help="How many shoppers.")] = 5_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same shop.")] = 1,
) -> None:
    """Write a generated shop as CSV in the Instacart layout."""
    from nextbasket.grocery.sample import generate

    called = session(context)
    made = generate(shoppers, seed, to.absolute(), called.progress("sample"))
    document = {
        "folder": str(made.folder),
        "generated": True,
        "seed": made.seed,
        "shoppers": made.shoppers,
        "products": made.products,
        "orders": made.orders,
        "lines": made.prior_lines + made.train_lines,
    }
    text = f"{made.shoppers:,} generated shoppers, {made.orders:,} orders, {document['lines']:,} lines in {made.folder}"
    called.answer(document, text)


def run(
    context: typer.Context,
    source: Annotated[list[Path] | None, typer.Option(help="A folder, file or archive; may be repeated.")] = None,
    shoppers: Annotated[int | None, typer.Option(min=1, help="Shoppers of the generated shop.")] = None,
    until: Annotated[
        list[str] | None, typer.Option(help="Run this step and what comes before it only; may be repeated.")
    ] = None,
    force: ForceOption = False,
) -> None:
    """Run the whole pipeline; a home without data starts with a generated shop."""
    called = session(context)
    if source and shoppers is not None:
        raise UsageError("--source brings a shop and --shoppers generates one; use one of them.")
    known = [one.name for one in PIPELINE]
    for name in until or ():
        if name not in known:
            raise UsageError(f"there is no step '{name}'; the steps are {', '.join(known)}.")
    chosen = steps_until(until) if until else PIPELINE
    from nextbasket.app.summary import summary

    with called.shop(create=True) as shop:
        actions, outcomes = _run(called, shop, chosen, source=_absolute(source or ()), shoppers=shoppers, force=force)
        done = summary(shop, actions, outcomes)
    called.answer(done, lambda: summary_text(done))


def land(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Folders, files or archives.")],
    table: Annotated[str | None, typer.Option(help="The landing table's name, where file names do not say it.")] = None,
) -> None:
    """Copy files into the lake; the same content is landed once."""
    from nextbasket.app.home import one_writer

    called = session(context)
    with called.shop(create=True) as shop, one_writer(shop.home):
        report = shop.landing.land(_absolute(paths), table, called.progress("land"))
    known = f", {len(report.known)} already there" if report.known else ""
    called.answer(report.as_json(), f"{len(report.landed)} files landed{known}")


def crawl(context: typer.Context, force: ForceOption = False) -> None:
    """Find tables, header, delimiter and types in the landed files; print how tables changed."""
    from nextbasket.cli.crawl_text import crawl_text

    called = session(context)
    done = _perform(called, ("crawl",), force=force)
    found = done["crawl"]
    if found["skipped"]:
        called.answer(done, "crawl: up to date")
        return
    called.answer(done, lambda: f"crawl: {found['seconds']:.1f} s, {crawl_text(found)}")


def load(context: typer.Context, force: ForceOption = False) -> None:
    """Check every line and write typed tables."""
    _steps(context, ("load",), force=force)


def prepare(context: typer.Context, as_of: AsOfOption = AsOfChoice.BOTH, force: ForceOption = False) -> None:
    """Run the four feature recipes."""
    _steps(context, _builds("prepare", as_of), force=force)


def features(
    context: typer.Context,
    as_of: AsOfOption = AsOfChoice.BOTH,
    export: Annotated[
        Path | None, typer.Option(help="Also write the 18 baseline values as CSV without header.")
    ] = None,
    final: Annotated[bool, typer.Option(help="Build the final model's features too.")] = True,
    force: ForceOption = False,
) -> None:
    """Join the feature tables."""
    if export is not None and as_of is AsOfChoice.BOTH:
        raise UsageError("--export writes one build; name it with --as-of training or --as-of serving.")
    called = session(context)
    steps = _builds("features", as_of) + (_builds("final", as_of) if final else ())
    done = _perform(called, steps, force=force)
    if export is not None:
        with called.shop() as shop:
            rows = shop.features.export(as_of.value, shop.output_file(export))
        done[f"features-{as_of.value}"] |= {"exported": rows, "file": str(export)}
    _answer_steps(called, done)


def train(
    context: typer.Context,
    model: Annotated[str | None, typer.Option(help="baseline or final; both when left out.")] = None,
    fraction: Annotated[float, typer.Option(help="Share of the shoppers to train on.")] = 1.0,
    force: ForceOption = False,
) -> None:
    """Train the models."""
    called = session(context)
    if not 0 < fraction <= 1:
        raise UsageError(f"--fraction is a share above 0 and at most 1, not {fraction}.")
    if model is not None and model not in MODELS:
        raise UsageError(f"there is no model '{model}'; the models are {', '.join(MODELS)}.")
    if model is None and fraction != 1.0:
        raise UsageError("--fraction needs --model baseline or --model final.")
    if model is None:
        _steps(context, ("train-sample", "train-baseline", "train-final"), force=force)
        return
    from nextbasket.app.actions import Actions
    from nextbasket.app.home import one_writer

    with called.shop() as shop, one_writer(shop.home):
        trained = Actions(shop).train(model, fraction, called.progress(f"train {model}"))
    card = trained.card
    document = {"model": card.full_name, "new": trained.new, "rounds": card.rounds, "counts": card.counts}
    called.answer(document, f"{card.full_name}: {'trained' if trained.new else 'up to date'}, {card.rounds} rounds")


def evaluate(context: typer.Context, force: ForceOption = False) -> None:
    """Measure the newest models on the held-out shoppers."""
    from nextbasket.app.summary import evaluation_notes
    from nextbasket.cli.summary_text import metrics_text

    called = session(context)
    done = _perform(called, ("evaluate",), force=force)
    found = done["evaluate"]
    for sentence in evaluation_notes(found):
        called.note(sentence)
    called.answer(found, lambda: f"{metrics_text(found['metrics'])}\n\nreport: {found['report'] or 'none'}")


def score(
    context: typer.Context,
    submission: Annotated[Path | None, typer.Option(help="Also write the competition's form to this CSV.")] = None,
    force: ForceOption = False,
) -> None:
    """Predict every candidate of every shopper."""
    called = session(context)
    done = _perform(called, ("score",), force=force)
    if submission is not None:
        from nextbasket.model.inputs import ModelInputs
        from nextbasket.model.submission import TABLES, write_submission

        with called.shop() as shop:
            inputs = ModelInputs(shop.engine, shop.catalog, TABLES)
            orders = write_submission(inputs, shop.output_file(submission))
        done["score"] |= {"submission": str(submission), "orders": orders}
        if not orders:
            done["score"] |= {"note": "this shop has no test orders, so there is nothing to submit"}
    _answer_steps(called, done)


def _builds(name: str, as_of: AsOfChoice) -> tuple[str, ...]:
    chosen = (AsOfChoice.TRAINING, AsOfChoice.SERVING) if as_of is AsOfChoice.BOTH else (as_of,)
    return tuple(f"{name}-{one.value}" for one in chosen)


def _steps(context: typer.Context, names: Sequence[str], *, force: bool) -> None:
    called = session(context)
    _answer_steps(called, _perform(called, names, force=force))


def _perform(called: Session, names: Sequence[str], *, force: bool) -> dict[str, dict[str, Any]]:
    with called.shop() as shop:
        _, outcomes = _run(called, shop, [step(name) for name in names], force=force)
    return {
        outcome.step: {**outcome.detail, "skipped": outcome.skipped, "seconds": outcome.seconds} for outcome in outcomes
    }


def _answer_steps(called: Session, done: Mapping[str, Mapping[str, Any]]) -> None:
    def text() -> str:
        lines = []
        for name, detail in done.items():
            lines.append(f"{name}: " + ("up to date" if detail["skipped"] else f"{detail['seconds']:.1f} s"))
            lines += [f"  {key}: {value}" for key, value in detail.items() if key not in ("skipped", "seconds")]
        return "\n".join(lines)

    called.answer(done, text)


def _run(
    called: Session,
    shop: "Shop",
    steps: Sequence[Step],
    *,
    source: Sequence[Path] = (),
    shoppers: int | None = None,
    force: bool = False,
) -> tuple["Actions", list["StepOutcome"]]:
    from nextbasket.app.actions import Actions
    from nextbasket.app.home import one_writer
    from nextbasket.app.shop import new_id
    from nextbasket.pipeline.record import StepRecords
    from nextbasket.pipeline.run import Pipeline

    actions = Actions(shop, source, shoppers)
    pipeline = Pipeline(actions, StepRecords(shop.catalog), time.monotonic, new_id)

    def finished(one: Step, outcome: "StepOutcome") -> None:
        called.progress(one.name)("up to date" if outcome.skipped else f"done in {outcome.seconds:.1f} s", 1.0)
        called.end_line()

    with one_writer(shop.home):
        outcomes = pipeline.run(steps, lambda one: called.progress(one.name), finished, force=force)
        if not all(outcome.skipped for outcome in outcomes):
            shop.upkeep.when_due(called.progress("upkeep"))
        return actions, outcomes


def _absolute(paths: Sequence[Path]) -> list[Path]:
    return [path.absolute() for path in paths]
