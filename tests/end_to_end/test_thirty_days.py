"""Thirty days of daily files, in any order, end as one bulk load of the truth does, table by table."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from nextbasket.app.shop import Shop, open_shop

from .daily_files import Days, Delivered, make_days, shuffled

TABLES = ("orders", "order_products", "order_products_prior", "products")
COLUMNS = {
    "orders": "order_id, user_id, eval_set, order_number, order_dow, order_hour_of_day, days_since_prior_order",
    "order_products": "order_id, product_id, add_to_cart_order, reordered",
    "order_products_prior": "order_id, user_id, eval_set, order_number, order_dow, days_since_prior_order, product_id, "
    "add_to_cart_order, reordered",
    "products": "product_id, product_name, aisle_id, department_id",
}


def contents(shop: Shop) -> dict[str, list[tuple[Any, ...]]]:
    found = {}
    for table in TABLES:
        rows = shop.workgroup.table(f"SELECT {COLUMNS[table]} FROM shop.{table}").to_pylist()  # noqa: S608 own words
        found[table] = sorted((tuple(row.values()) for row in rows), key=str)
    return found


def take(shop: Shop, folder: Path, waves: Sequence[dict[str, str]], run: str) -> None:
    """Land some files, one wave after the other, and load them all at once."""
    for number, files in enumerate(waves):
        for name, content in files.items():
            path = folder / str(number) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        shop.landing.land([folder / str(number)])
    shop.crawler.crawl()
    report = shop.loader.load(run)
    for fates in report.files:
        assert fates.accounted == fates.records, fates


def truth(days: Days) -> dict[str, list[tuple[Any, ...]]]:
    """Work out the lines and products that must be there, in plain Python."""
    lines = [tuple(map(int, row)) for row in days.lines]
    products = [(int(row[0]), row[1], int(row[2]), int(row[3])) for row in days.products]
    return {"order_products": sorted(lines, key=str), "products": sorted(products, key=str)}


def deliver(home: Path, days: Days, seed: int) -> dict[str, list[tuple[Any, ...]]]:
    """Deliver the files in a seeded order and in seeded portions; return what the tables hold at the end."""
    chance = random.Random(seed)  # noqa: S311 a test's seeded choice
    shop = open_shop(home / "home", create=True)
    files: list[Delivered] = shuffled(days, seed)
    # The first portion has one file of each table, as every shop must.
    first = [next(file for file in files if file.path.startswith(name)) for name in ("orders", "order_pro", "products")]
    rest = [file for file in files if file not in first]
    first = sorted(first, key=files.index)
    portions = [first]
    while rest:
        size = chance.randint(8, 30)
        portions.append(rest[:size])
        rest = rest[size:]
    for number, portion in enumerate(portions):
        waves: list[dict[str, str]] = []
        for file in portion:
            # A name comes once in a wave: a correction is landed after what it corrects.
            wave = next((one for one in waves if file.path not in one), None)
            if wave is None:
                wave = {}
                waves.append(wave)
            wave[file.path] = file.content
        take(shop, home / f"source{number}", waves, f"load-{number}")
    return contents(shop)


def check(seed: int, tmp_path: Path) -> str:
    days = make_days(seed)
    bulk = open_shop(tmp_path / "bulk", create=True)
    take(bulk, tmp_path / "source", [days.bulk()], "bulk")
    expected = contents(bulk)
    for table, rows in truth(days).items():
        assert expected[table] == rows
    found = deliver(tmp_path, days, seed + 1)
    for table in TABLES:
        assert found[table] == expected[table], table
    rows = ", ".join(f"{table} {len(found[table])}" for table in TABLES)
    return f"seed {seed}: {len(days.files)} files in random order, {rows} rows: equal"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_thirty_days_in_any_order_end_as_one_bulk_load(seed: int, tmp_path: Path) -> None:
    check(seed, tmp_path)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_thirty_days_in_many_orders(tmp_path: Path, proof: Callable[[str], None]) -> None:
    proof("## Thirty days of daily files\n\nLate, doubled, renamed, corrected, withdrawn, torn; in seeded orders.\n")
    for seed in range(10, 30):
        place = tmp_path / str(seed)
        place.mkdir()
        proof(f"- {check(seed, place)}")
