"""vacuum and forget as people call them: what they print, and how they end."""

import json
from pathlib import Path

from tests.end_to_end.command import nextbasket

TINY_SHOP = Path(__file__).parents[1] / "fixtures" / "tiny_shop"
SOURCES = [
    TINY_SHOP / f"{name}.csv" for name in ("orders", "products", "order_products__prior", "order_products__train")
]


def test_forget_and_vacuum(tmp_path: Path) -> None:
    home = tmp_path / "home"
    nextbasket(home, "land", *map(str, SOURCES))
    nextbasket(home, "load")
    unknown = nextbasket(home, "forget", "--shopper", "4711", status=1)
    assert unknown.stderr.strip().splitlines()[-1].startswith("nextbasket: there is no shopper '4711' in ")
    done = nextbasket(home, "--json", "forget", "--shopper", "1")
    report = json.loads(done.stdout)
    assert report["complete"]
    assert report["tables"] == {"shop.order_products": 10, "shop.order_products_prior": 7, "shop.orders": 4}
    assert report["proof"]["left"] == {}
    assert [line["rows"] for line in map(json.loads, (home / "logs/forgotten.jsonl").read_text().splitlines())] == [21]

    text = nextbasket(home, "forget", "--shopper", "1").stdout
    assert text.startswith("this shopper was forgotten before")
    assert "searched: nothing is left" in text
    assert "what this does not prove:" in text

    dry = json.loads(nextbasket(home, "--json", "vacuum", "--dry-run").stdout)
    assert (dry["dry_run"], dry["expired_snapshots"], dry["deleted_files"]) == (True, {}, 0)
