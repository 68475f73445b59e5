"""tables, query: look at the catalog and ask it."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from nextbasket.cli.crawl_text import history_text
from nextbasket.cli.session import session
from nextbasket.cli.text import aligned
from nextbasket.errors import NotBuiltError, UsageError

ENGINES = ("duckdb", "spark", "athena")
FORMATS = ("table", "csv", "json")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(tables)
    app.command()(query)


def tables(
    context: typer.Context,
    table: Annotated[str | None, typer.Argument(help="database.table; all tables when left out.")] = None,
    history: Annotated[int, typer.Option(min=1, help="How many of the newest snapshots to show.")] = 10,
) -> None:
    """List the tables, or show one: schema, partitions, files, snapshots."""
    called = session(context)
    with called.shop() as shop:
        if table is None:
            listed = shop.list_tables()
            rows = [(t["table"], t["format"], str(t["columns"]), _count(t["rows"]), t["at"] or "") for t in listed]
            called.answer(listed, lambda: aligned(("table", "format", "columns", "rows", "committed"), rows))
            return
        shown = shop.describe_table(table, history)
        called.answer(shown, lambda: _table_text(shown))


def query(
    context: typer.Context,
    sql: Annotated[str, typer.Argument(help="A statement in Athena's SQL, or @FILE, or @NAME of a named query.")],
    engine: Annotated[str, typer.Option(help="duckdb, spark or athena.")] = "duckdb",
    format: Annotated[str | None, typer.Option(help="table, csv or json.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write the result to this file (.csv, .json, .parquet).")] = None,
    database: Annotated[str, typer.Option(help="The database of tables named without one.")] = "shop",
    save_result: Annotated[
        bool, typer.Option("--save", help="Keep the result as CSV at the home's result location.")
    ] = False,
) -> None:
    """Run one SQL statement on the shop's tables."""
    called = session(context)
    if engine not in ENGINES:
        raise UsageError(f"there is no engine '{engine}'; choose one of {', '.join(ENGINES)}.")
    if engine == "athena":
        raise NotBuiltError("the athena engine")
    chosen = format or ("json" if called.json else "table")
    if chosen not in FORMATS:
        raise UsageError(f"there is no format '{chosen}'; choose one of {', '.join(FORMATS)}.")
    if output is not None and output.suffix.lower() not in (".csv", ".json", ".parquet"):
        raise UsageError(f"--output {output} must end in .csv, .json or .parquet.")
    if output is not None and save_result:
        raise UsageError("--save keeps the result in the home and --output writes it elsewhere: give one of the two.")
    from nextbasket.query.formats import Format, write_text
    from nextbasket.query.workgroup import save

    with called.shop() as shop:
        text = shop.statement(sql)
        workgroup = shop.workgroup_on(engine)
        if output is not None:
            kind = output.suffix.removeprefix(".").lower()
            rows = save(workgroup.execute(text, database=database), shop.output_file(output), kind)
            called.answer({"output": str(output), "rows": rows}, f"{rows:,} rows written to {output}")
            return
        if save_result:
            saved, rows = workgroup.execute_and_save(text, database=database)
            called.answer({"output": saved, "rows": rows}, f"{rows:,} rows saved in {saved}")
            return
        handle = workgroup.execute(text, database=database)
        write_text(handle.schema, handle.batches(), Format(chosen), sys.stdout)


def _count(rows: int | None) -> str:
    return "" if rows is None else f"{rows:,}"


def _table_text(shown: dict[str, Any]) -> str:
    parts = [f"{shown['table']}  ({shown['format']}, {shown['location']})", ""]
    parts.append(aligned(("column", "type"), [(c["name"], c["type"]) for c in shown["schema"]]))
    if shown["partition_keys"]:
        parts += ["", "partition keys: " + ", ".join(shown["partition_keys"])]
    files = shown["files"]
    parts += ["", f"{_count(shown['rows']) or 'unknown'} rows in {len(files)} files, {shown['bytes']:,} bytes"]
    for partition in shown["partitions"]:
        parts.append("  partition " + ", ".join(f"{key}={value}" for key, value in partition.items()))
    if shown["snapshots"]:
        rows = [(str(s["id"]), s["at"], s["operation"], s["run_id"] or "") for s in shown["snapshots"]]
        parts += ["", aligned(("snapshot", "committed", "operation", "run"), rows)]
    if shown["drift"]:
        parts += ["", "changes found by crawls", history_text(shown["drift"])]
    if shown["properties"]:
        parts += ["", aligned(("property", "value"), sorted(shown["properties"].items()))]
    return "\n".join(parts)
