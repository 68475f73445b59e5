"""Recipes on whatever a person names: a catalog table or a file, as input and as output."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import pyarrow.parquet as pq

from nextbasket.app.shop import Shop, new_id
from nextbasket.catalog.base import Column, DataFile, Scan
from nextbasket.catalog.types import arrow_schema
from nextbasket.definitions.store import DefinitionKind
from nextbasket.errors import InputError, NotFoundError, UsageError
from nextbasket.ingest.sniff import HEAD_BYTES, column_names, common_type, sniff
from nextbasket.ingest.values import PLAIN
from nextbasket.query.spark_rules import spark_sql
from nextbasket.query.workgroup import save
from nextbasket.recipes.compile import Compiled, compile
from nextbasket.recipes.parse import Recipe, parse
from nextbasket.recipes.run import RecipeJob, table_expression

_FILE = "input.file"
_FILE_SUFFIXES = (".tsv", ".txt", ".xls", ".xlsx", ".jsonl", ".gz", ".zip", ".avro", ".orc")
_PIPELINE_DATABASES = ("landing", "quarantine", "shop", "features", "features_serving", "results")


@dataclass(frozen=True, slots=True)
class Source:
    """An input: the name queries use for it, and the files behind it."""

    name: str
    scan: Scan


def recipe_named(shop: Shop, text: str) -> Recipe:
    """Return a recipe from a file, or a known one by name. Raises NotFoundError or RecipeError."""
    path = Path(text)
    if path.is_file():
        return parse(path.read_text(encoding="utf-8"), path.stem)
    if path.suffix or "/" in text:
        raise NotFoundError(f"there is no recipe file {text}.")
    return parse(shop.definitions.text(DefinitionKind.RECIPES, text), text)


def explain(shop: Shop, recipe: Recipe, source: str) -> dict[str, Any]:
    """Return the columns after each step and the SQL for each engine, as JSON values; nothing runs."""
    compiled = _compiled(recipe, _source(shop, source))
    steps = [
        {
            "step": step.number,
            "action": step.operation,
            "schema": [{"name": name, "type": str(kind)} for name, kind in schema.items()],
        }
        for step, schema in zip(recipe.steps, compiled.schemas, strict=True)
    ]
    sql = {
        "duckdb": str(ibis.to_sql(compiled.expression, dialect="duckdb")),
        "spark": spark_sql(compiled.expression),
        "athena": str(ibis.to_sql(compiled.expression, dialect="athena")),
    }
    return {"recipe": recipe.name, "steps": steps, "decisions": list(compiled.decisions), "sql": sql}


def run(shop: Shop, recipe: Recipe, source: str, output: str) -> int:
    """Run a recipe and write a table (``database.table``) or a .csv, .json or .parquet file; returns the rows."""
    given = _source(shop, source)
    compiled = _compiled(recipe, given)
    suffix = Path(output).suffix.lower()
    if suffix in (".csv", ".json", ".parquet"):
        file = shop.output_file(Path(output), source=Path(source) if Path(source).is_file() else None)
        handle = shop.engine.start(compiled.expression, {given.name: given.scan})
        return save(handle, file, suffix.removeprefix("."))
    database, _, table = output.partition(".")
    if not table.isidentifier() or not database.isidentifier() or suffix in _FILE_SUFFIXES:
        raise UsageError(f"--output {output} is neither database.table nor a .csv, .json or .parquet file.")
    if database in _PIPELINE_DATABASES:
        owned = ", ".join(_PIPELINE_DATABASES)
        raise UsageError(f"--output {output}: the databases {owned} belong to the pipeline; use another.")
    job = RecipeJob(shop.workgroup, shop.catalog)
    expression = table_expression(given.name, given.scan.schema)
    done = job.run(recipe, expression, output, run_id=f"recipe-{new_id()}", overrides={given.name: given.scan})
    return shop.rows_of(done.snapshot.table) or 0


def _compiled(recipe: Recipe, source: Source) -> Compiled:
    return compile(recipe, table_expression(source.name, source.scan.schema))


def _source(shop: Shop, text: str) -> Source:
    path = Path(text)
    if path.is_file():
        return Source(_FILE, _scan_of(path.absolute()))
    if path.suffix.lower() in (".csv", ".gz", ".parquet", ".tsv") or "/" in text:
        raise NotFoundError(f"there is no input file {text}.")
    name = text if "." in text else f"shop.{text}"
    return Source(name, shop.catalog.scan(name))


def _scan_of(path: Path) -> Scan:
    files = (DataFile(str(path), -1, path.stat().st_size),)
    if path.suffix.lower() == ".parquet":
        try:
            return Scan(_FILE, "parquet", files, pq.read_schema(path))
        except OSError as error:
            raise InputError(f"{path} cannot be read as Parquet: {error}.") from error
    if path.suffix.lower() not in (".csv", ".tsv", ".txt"):
        raise InputError(f"{path} is neither a .csv, .tsv, .txt nor a .parquet file; land and crawl it to read others.")
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
        whole = not stream.read(1)
    shape = sniff(head, whole=whole)
    if not shape.columns:
        raise InputError(f"{path} is empty: it has not even a header.")
    names = column_names(shape.columns)
    # This file is read by the engine alone: what only land and crawl can read as a number or a date stays text.
    columns = [
        Column(name, common_type([kind]) if notation == PLAIN else "string")
        for name, kind, notation in zip(names, shape.types, shape.notations, strict=True)
    ]
    parameters = {
        "delimiter": shape.delimiter,
        "quote": shape.quote,
        "skip.header.line.count": "1" if shape.header else "0",
        "encoding": shape.encoding,
        "compression": "none",
    }
    return Scan(_FILE, "csv", files, arrow_schema(columns), parameters=parameters)
