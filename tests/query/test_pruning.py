"""A filter on partition keys leaves files unread; each case says by hand which files a statement needs."""

from pathlib import Path

import pyarrow as pa
import pytest

from nextbasket.catalog.base import NULL_PARTITION, DataFile, Scan
from nextbasket.errors import QueryError
from nextbasket.query.base import Inputs, Limits
from nextbasket.query.duckdb import DuckDBEngine
from nextbasket.query.inputs import prepare

DAYS = ("2026-11-20", "2026-11-21", "2026-11-22")
INTEGER: pa.DataType = pa.int64()
DATE: pa.DataType = pa.date32()
FOLDERS = [*((day, shop) for day in DAYS for shop in ("1", "2")), (NULL_PARTITION, "3")]


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """Seven files, a row each: ids 0 to 6, by day and shop; and a table of shops."""
    files, partitions = [], {}
    for number, (day, shop) in enumerate(FOLDERS):
        path = tmp_path / f"dt={day}" / shop / "x.csv"
        path.parent.mkdir(parents=True)
        path.write_text(f"{number}\n")
        files.append(DataFile(str(path), -1, 100))
        partitions[str(path)] = {"dt": day, "partition_1": shop}
    schema = pa.schema([("id", INTEGER), ("dt", DATE), ("partition_1", INTEGER)])
    sales = Scan("landing.sales", "csv", tuple(files), schema, None, {"delimiter": ","}, partitions)
    path = tmp_path / "shops.csv"
    path.write_text("1,2026-11-20\n2,2026-11-22\n")
    shops = Scan(
        "landing.shops",
        "csv",
        (DataFile(str(path), -1, 10),),
        pa.schema([("shop", INTEGER), ("dt2", DATE)]),
        None,
        {"delimiter": ","},
    )
    return {"landing.sales": sales, "landing.shops": shops}


def needed(sql: str, inputs: Inputs, parameters: tuple[object, ...] = ()) -> list[int]:
    """Return the numbers of the files that are planned."""
    kept = {file.uri for file in prepare(sql, inputs, parameters).scans["landing.sales"].files}
    return [number for number, file in enumerate(inputs["landing.sales"].files) if file.uri in kept]


ALL = [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("where", "files"),
    [
        ("dt = DATE '2026-11-21'", [2, 3]),
        ("dt >= DATE '2026-11-21' AND partition_1 = 2", [3, 5]),
        ("dt BETWEEN DATE '2026-11-20' AND DATE '2026-11-21' AND id > 0", [0, 1, 2, 3]),
        ("dt IN (DATE '2026-11-20', DATE '2026-11-22')", [0, 1, 4, 5]),
        ("dt IS NULL", [6]),
        ("dt IS NOT NULL AND NOT partition_1 = 1", [1, 3, 5]),
        ("date_add('day', 1, dt) = DATE '2026-11-22'", [2, 3]),
        ("CAST(dt AS varchar) LIKE '%-22'", [4, 5]),
        ("partition_1 = 1 OR dt = DATE '2026-11-22'", [0, 2, 4, 5]),
        ("(partition_1 = 1) AND (dt = DATE '2026-11-22')", [4]),
        ("dt = DATE '2030-01-01'", []),
        # What cannot be judged by folders reads everything.
        ("id = 3 OR dt = DATE '2026-11-22'", ALL),
        ("id = 3", ALL),
        ("dt = (SELECT max(dt) FROM landing.sales)", ALL),
    ],
)
def test_a_filter_on_keys_leaves_files_out(inputs: Inputs, where: str, files: list[int]) -> None:
    assert needed(" ".join(["SELECT count(*) FROM landing.sales WHERE", where]), inputs) == files


@pytest.mark.parametrize(
    ("sql", "files"),
    [
        ("SELECT 1 FROM sales s JOIN shops ON partition_1 = shop WHERE s.dt = DATE '2026-11-21'", [2, 3]),
        # A name that may be of either table is not judged.
        ("SELECT 1 FROM sales s JOIN shops ON partition_1 = shop WHERE dt = DATE '2026-11-21'", ALL),
        ("SELECT 1 FROM sales s LEFT JOIN shops ON partition_1 = shop WHERE s.partition_1 = 2", [1, 3, 5]),
        # Rows that stand for no sale at all fulfil "s.dt IS NULL", too.
        ("SELECT 1 FROM shops LEFT JOIN sales s ON partition_1 = shop WHERE s.dt IS NULL", ALL),
        ("SELECT 1 FROM sales s FULL JOIN shops ON partition_1 = shop WHERE s.dt IS NULL", ALL),
        # Read twice: what either needs.
        (
            "SELECT 1 FROM sales WHERE partition_1 = 1 UNION ALL SELECT 1 FROM sales WHERE dt = DATE '2026-11-22'",
            [0, 2, 4, 5],
        ),
        ("SELECT 1 FROM sales WHERE partition_1 = 1 UNION ALL SELECT 1 FROM sales", ALL),
        ("WITH a AS (SELECT * FROM sales WHERE dt = DATE '2026-11-20') SELECT count(*) FROM a", [0, 1]),
    ],
)
def test_joins_and_several_readings(inputs: Inputs, sql: str, files: list[int]) -> None:
    assert needed(sql, inputs) == files


def test_parameters_filter_too(inputs: Inputs) -> None:
    assert needed("SELECT 1 FROM sales WHERE partition_1 = ?", inputs, (2,)) == [1, 3, 5]


def test_what_is_left_out_is_not_read_and_does_not_count(inputs: Inputs, tmp_path: Path) -> None:
    """Every other file is broken: reading one would be an error."""
    for number, file in enumerate(inputs["landing.sales"].files):
        if number not in (4, 5):
            Path(file.uri).write_text("not a number\n")
    engine = DuckDBEngine(tmp_path / "scratch", threads=1)

    def rows(sql: str) -> list[object]:
        handle = engine.start(sql, inputs, limits=Limits(scan_bytes=200))
        return pa.Table.from_batches(list(handle.batches()), handle.schema).column(0).to_pylist()

    assert rows("SELECT id FROM landing.sales WHERE dt = DATE '2026-11-22' ORDER BY id") == [4, 5]
    assert rows("SELECT id FROM landing.sales WHERE dt = DATE '2030-01-01'") == []
    with pytest.raises(QueryError, match="its limit is 200"):
        rows("SELECT id FROM landing.sales")


def test_a_folder_whose_value_is_not_of_its_type_is_no_silence(inputs: Inputs, tmp_path: Path) -> None:
    sales = inputs["landing.sales"]
    partitions = {uri: {**values, "dt": "latest"} for uri, values in sales.partitions.items()}
    broken = Scan(sales.table, "csv", sales.files, sales.schema, None, sales.parameters, partitions)
    handle = DuckDBEngine(tmp_path / "scratch", threads=1).start(
        "SELECT id FROM landing.sales WHERE dt = DATE '2026-11-22'", {"landing.sales": broken}
    )
    with pytest.raises(QueryError, match="latest"):
        list(handle.batches())
