"""The command ``query``: what it answers, keeps and refuses, with the home's settings."""

import json
from pathlib import Path

import pytest

from ..end_to_end.command import nextbasket
from .home import StatementHome

pytestmark = pytest.mark.slow


def test_the_command_runs_statements_within_the_homes_settings(tmp_path: Path) -> None:
    made = StatementHome(tmp_path / "home")
    size = sum(file.bytes for file in made.catalog.scan("shop.orders").files)
    (made.home / "nextbasket.toml").write_text(f'[query]\nscan_limit = "{size / 4e6:.6f} MB"\nresult_folder = "kept"\n')

    done = nextbasket(made.home, "--json", "query", "CREATE TABLE mine.o AS SELECT order_id FROM orders")
    assert json.loads(done.stdout) == [{"rows": 4}]
    saved = json.loads(
        nextbasket(made.home, "--json", "query", "--save", "SELECT sum(order_id) AS s FROM mine.o").stdout
    )
    assert saved["rows"] == 1
    assert Path(saved["output"]).parent == made.home / "results" / "kept"
    assert Path(saved["output"]).read_bytes() == b"s\r\n10\r\n"

    refused = nextbasket(made.home, "query", "SELECT * FROM orders", status=1)
    assert "its limit is" in refused.stderr
    assert "raise the limit" in refused.stderr
    owned = nextbasket(made.home, "query", "DROP TABLE orders", status=1)
    assert "shop.orders belongs to the pipeline" in owned.stderr
    assert "use --output FILE" in nextbasket(made.home, "query", "UNLOAD (SELECT 1) TO 's3://b/a/'", status=3).stderr
    nextbasket(made.home, "query", "--save", "--output", "x.csv", "SELECT 1 AS a", status=2)

    history = "SELECT state, rows, statement FROM system.queries WHERE statement NOT LIKE '%system.queries%'"
    past = json.loads(nextbasket(made.home, "--json", "query", history + " ORDER BY submitted_at").stdout)
    assert [(one["state"], one["rows"]) for one in past] == [
        ("SUCCEEDED", 4),
        ("SUCCEEDED", 1),
        ("FAILED", None),
        ("FAILED", None),
        ("FAILED", None),
    ]
