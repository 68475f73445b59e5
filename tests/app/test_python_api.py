"""A home in Python: every table and query as Arrow, pandas and Polars, at any version, without writing."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas
import polars
import pyarrow as pa
import pytest

import nextbasket
from nextbasket.app.shop import open_shop
from nextbasket.catalog.base import CommitMode
from nextbasket.errors import HomeError, MissingExtraError, NotFoundError, UsageError

NOTEBOOK = Path(__file__).parents[2] / "examples" / "notebook" / "a_shop_in_python.ipynb"


def test_a_table_in_every_form(tiny_home: Path) -> None:
    with nextbasket.open(tiny_home) as shop:
        aisles = shop.table("shop.aisles")
        expected = [{"aisle_id": 1, "aisle": "shelf"}, {"aisle_id": 2, "aisle": "crate"}]
        expected.append({"aisle_id": 3, "aisle": "corner"})
        assert sorted(aisles.arrow().to_pylist(), key=lambda row: row["aisle_id"]) == expected
        frame = aisles.pandas()
        assert isinstance(frame, pandas.DataFrame)
        assert frame.sort_values("aisle_id").to_dict("records") == expected
        other = aisles.polars()
        assert isinstance(other, polars.DataFrame)
        assert other.sort("aisle_id").to_dicts() == expected
        assert sum(batch.num_rows for batch in aisles.batches()) == 3
        assert polars.DataFrame(aisles).height == 3
        assert pa.table(aisles).num_rows == 3


def test_a_query_with_parameters(tiny_home: Path) -> None:
    shop = nextbasket.open(str(tiny_home))
    asked = shop.query("SELECT order_id FROM orders WHERE user_id = ? ORDER BY order_number", parameters=[1])
    assert asked.arrow().to_pydict() == {"order_id": [101, 102, 103, 104]}
    assert asked.pandas()["order_id"].tolist() == [101, 102, 103, 104]
    assert asked.polars()["order_id"].to_list() == [101, 102, 103, 104]


def test_whole_numbers_with_gaps_stay_whole_in_pandas(tiny_home: Path) -> None:
    rows = nextbasket.open(tiny_home).query(
        "SELECT order_id, CASE WHEN order_id > 101 THEN 9007199254740993 END AS large FROM orders ORDER BY order_id"
    )
    frame = rows.pandas()
    assert frame["large"].isna().tolist()[:2] == [True, False]
    assert frame["large"].iloc[1] == 9007199254740993


def test_the_tables_are_listed(tiny_home: Path) -> None:
    shop = nextbasket.open(tiny_home)
    assert shop.tables("shop") == [
        "shop.aisles",
        "shop.departments",
        "shop.order_products",
        "shop.order_products_prior",
        "shop.orders",
        "shop.products",
    ]
    assert "landing.orders" in shop.tables()
    assert shop.table("landing.aisles").arrow().num_rows == 3


def test_earlier_versions(tmp_path: Path, make_home: Callable[[Path], None]) -> None:
    home = tmp_path / "home"
    make_home(home)
    with open_shop(home) as writer:
        scan = writer.catalog.scan("shop.aisles")
        writer.catalog.commit("shop.aisles", CommitMode.OVERWRITE, [], run_id="emptied")
        assert scan.snapshot_id is not None
    shop = nextbasket.open(home)
    first, second = shop.snapshots("aisles")
    assert shop.table("aisles").arrow().num_rows == 0
    assert shop.table("aisles", snapshot=first.id).arrow().num_rows == 3
    assert shop.table("aisles", at=second.at - timedelta(milliseconds=1)).arrow().num_rows == 3
    assert shop.table("aisles", at=first.at.replace(tzinfo=None).isoformat()).arrow().num_rows == 3
    with pytest.raises(NotFoundError, match="latest snapshots"):
        shop.table("aisles", at=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(UsageError, match="one of the two"):
        shop.table("aisles", at=datetime(2020, 1, 1, tzinfo=UTC), snapshot=first.id)
    with pytest.raises(UsageError, match="is no time"):
        shop.table("aisles", at="yesterday")


def test_it_only_reads(tiny_home: Path) -> None:
    shop = nextbasket.open(tiny_home)
    with pytest.raises(UsageError, match="only read"):
        shop.query("CREATE TABLE results.copy AS SELECT * FROM shop.orders")
    with pytest.raises(NotFoundError, match=r"did you mean shop\.orders"):
        shop.table("shop.ordres")


def test_a_home_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HomeError, match="no shop home"):
        nextbasket.open(tmp_path / "none")
    monkeypatch.setenv("NEXTBASKET_HOME", str(tmp_path / "other"))
    with pytest.raises(HomeError, match="other"):
        nextbasket.open()


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_missing_library_is_named(tiny_home: Path, monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    rows = nextbasket.open(tiny_home).table("aisles")
    with pytest.raises(MissingExtraError, match=f"pip install 'nextbasket\\[{library}\\]'"):
        getattr(rows, library)()


def test_importing_the_package_imports_nothing_else() -> None:
    program = (
        "import sys, nextbasket; print(sorted({'pyarrow', 'duckdb', 'pandas', 'polars', 'ibis'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_notebook_runs_and_says_where_its_data_comes_from(tiny_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert set(notebook["metadata"]) <= {"kernelspec", "language_info"}
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    words = "".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    assert "generated" in words
    monkeypatch.setenv("NEXTBASKET_HOME", str(tiny_home))
    names: dict[str, Any] = {}
    for number, cell in enumerate(code):
        exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)  # noqa: S102 - the notebook itself
    # Counted by hand in the fixture's files.
    assert sorted(names["baskets"]["products"]) == [1, 1, 2, 2, 2, 2, 3, 3]
    assert (names["lines"], names["orders"].height, names["first"].num_rows) == (16, 9, 9)
