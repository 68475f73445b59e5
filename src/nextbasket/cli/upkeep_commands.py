"""vacuum, forget: what a home needs from time to time."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from nextbasket.cli.session import session
from nextbasket.cli.text import aligned
from nextbasket.errors import InputError

if TYPE_CHECKING:
    from nextbasket.ingest.forget import ForgetReport


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (vacuum, forget):
        app.command()(command)


def vacuum(
    context: typer.Context,
    table: Annotated[str | None, typer.Argument(help="Expire versions of this table only.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
) -> None:
    """Expire old versions of tables and delete files that nothing needs."""
    from nextbasket.app.home import one_writer

    called = session(context)
    with called.shop() as shop, one_writer(shop.home):
        full_name = table if table is None or "." in table else f"shop.{table}"
        report = shop.upkeep.vacuum(full_name, dry_run=dry_run, progress=called.progress("vacuum"))
        if table is None and not dry_run:
            report = replace(report, files=report.files + shop.sweep_statements())

    def text() -> str:
        would = "would be " if dry_run else ""
        rows = [(name, str(count)) for name, count in report.snapshots.items()]
        parts = [aligned(("table", f"versions {would}expired"), rows)] if rows else ["no version is due to expire"]
        parts.append(f"{report.files + report.scratch:,} files {would}deleted, {report.bytes:,} bytes {would}freed")
        return "\n".join(parts)

    called.answer(report.as_json(), text)


def forget(
    context: typer.Context,
    shopper: Annotated[str, typer.Option(help="The shopper's id, the user_id of shop.orders.")],
) -> None:
    """Remove a shopper from tables, versions, landing, features and predictions, and prove it."""
    from nextbasket.app.home import one_writer

    called = session(context)
    # Those who land or load without the commands take turns by two locks of their own.
    with called.shop() as shop, one_writer(shop.home), shop.nobody_loading():
        report = shop.forgetter.forget(shopper, called.progress("forget"))
    called.end_line()
    called.answer(report.as_json(), lambda: _forgotten_text(report))
    if not report.proof.complete:
        names = ", ".join(f"{name} ({count:,})" for name, count in report.proof.left.items())
        raise InputError(f"records of this shopper are left in {names}; see above what to do, and run it again.")


def _forgotten_text(report: "ForgetReport") -> str:
    proof = report.proof
    parts = ["this shopper was forgotten before" if report.again else "forgotten"]
    rows = [(name, f"{count:,}") for name, count in {**report.tables, **report.lines}.items()]
    if rows:
        parts.append(aligned(("removed from", "rows"), rows))
    parts.append(f"{report.snapshots:,} old versions expired, {report.files:,} files deleted, {report.bytes:,} bytes")
    found = "nothing is left" if proof.complete else f"{sum(proof.left.values()):,} records are left"
    parts.append(f"proof: {proof.files:,} files with {proof.records:,} records searched: {found}")
    parts += ["what this does not prove:", *(f"  - {sentence}" for sentence in proof.unproven)]
    return "\n".join(parts)
