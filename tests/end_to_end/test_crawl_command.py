"""What `nextbasket crawl` and `nextbasket tables` say about tables that change."""

import json
import re
from pathlib import Path

from tests.end_to_end.command import nextbasket


def test_drift_is_printed_kept_and_given_as_json(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (tmp_path / "source/sales/dt=2026-11-21").mkdir(parents=True)
    (tmp_path / "source/sales/dt=2026-11-21/a.csv").write_text("id,amount\n1,10\n")
    nextbasket(home, "land", str(tmp_path / "source"))
    (home / "landing/gone").mkdir()
    (home / "landing/gone/x.csv").write_text("x\n1\n")
    first = nextbasket(home, "crawl").stdout
    assert re.sub(r"\d+\.\d s", "_ s", first) == (
        "crawl: _ s, 2 tables, 2 files, 2 of them read, 2 tables changed\n"
        "landing.gone  1 file  new\n"
        "  + column x bigint\n"
        "landing.sales  1 file  new\n"
        "  + column id bigint\n"
        "  + column amount bigint\n"
        "  + partition key dt date\n"
    )

    (home / "landing/sales/dt=latest").mkdir()
    (home / "landing/sales/dt=latest/b.csv").write_text("brand,id,amount\nx,2,2.5\n")
    (home / "landing/gone/x.csv").unlink()
    (home / "landing/sales/readme.md").write_text("hello")
    document = json.loads(nextbasket(home, "--json", "crawl").stdout)["crawl"]
    (sales,) = document["tables"]
    assert sales["differences"] == [
        "+ column brand string",
        "~ column amount: bigint -> double",
        "~ partition key dt: date -> string",
    ]
    assert sales["added"] == [{"name": "brand", "type": "string"}]
    assert sales["retyped"] == [{"name": "amount", "from": "bigint", "to": "double"}]
    assert (sales["created"], sales["changed"], sales["applied"]) == (False, True, True)
    assert document["gone"] == [{"table": "landing.gone", "action": "deprecated"}]
    assert document["unread"] == ["landing/sales/readme.md: its name is not one of a data file"]
    assert nextbasket(home, "crawl").stdout == "crawl: up to date\n"

    # Other settings are another crawl, though no file has changed.
    (home / "nextbasket.toml").write_text(
        '[crawler]\ndelete = "DELETE"\n[crawler.tables.sales]\ntypes = { id = "string" }\n'
    )
    again = nextbasket(home, "crawl").stdout
    assert "1 table, 2 files, 0 of them read, 1 table changed" in again
    assert "  ~ column id: bigint -> string\n" in again
    assert "landing.gone  its files are gone: dropped\n" in again

    shown = nextbasket(home, "tables", "landing.sales").stdout
    history = [line for line in shown.splitlines() if line.startswith(("  + ", "  ~ ", "  - "))]
    assert history == [
        "  + column id bigint",
        "  + column amount bigint",
        "  + partition key dt date",
        "  + column brand string",
        "  ~ column amount: bigint -> double",
        "  ~ partition key dt: date -> string",
        "  ~ column id: bigint -> string",
    ]
