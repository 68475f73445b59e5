"""A generated shop: its layout, its rules, its seed, and what happens when it cannot be finished."""

import hashlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from nextbasket.errors import HomeError, InputError
from nextbasket.grocery.sample import generate

FILES = {
    "aisles.csv": "aisle_id,aisle",
    "departments.csv": "department_id,department",
    "products.csv": "product_id,product_name,aisle_id,department_id",
    "orders.csv": "order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,days_since_prior_order",
    "order_products__prior.csv": "order_id,product_id,add_to_cart_order,reordered",
    "order_products__train.csv": "order_id,product_id,add_to_cart_order,reordered",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a shop of 1,500 shoppers: two chunks, the second not full."""
    folder = tmp_path_factory.mktemp("sample") / "shop"
    generate(1500, 7, folder)
    return folder


@pytest.fixture(scope="module")
def db(shop: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for file in FILES:
        path = str(shop / file).replace("'", "''")
        connection.execute(f"create table {file.removesuffix('.csv')} as from read_csv('{path}')")
    connection.execute("""create table lines as select *, 'prior' as kind from order_products__prior
        union all select *, 'train' from order_products__train""")
    return connection


def count(db: duckdb.DuckDBPyConnection, query: str) -> int:
    row = db.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def digest(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_has_the_files_and_headers_of_the_layout(shop: Path) -> None:
    headers = {path.name: path.read_text().split("\n", 1)[0] for path in shop.glob("*.csv")}
    assert headers == FILES


def test_says_that_it_is_generated(shop: Path) -> None:
    text = (shop / "README.txt").read_text()
    assert "GENERATED" in text
    assert "seed: 7\nshoppers: 1500\n" in text


def test_shoppers_are_numbered_and_their_orders_too(db: duckdb.DuckDBPyConnection) -> None:
    assert count(db, "select count(distinct user_id) from orders where user_id between 1 and 1500") == 1500
    assert count(db, "select max(user_id) from orders") == 1500
    wrong = """select count(*) from (select user_id, count(*) as n, min(order_number) as low, max(order_number) as high,
        count(distinct order_number) as numbers from orders group by 1)
        where low <> 1 or high <> n or numbers <> n or n not between 4 and 100"""
    assert count(db, wrong) == 0


def test_order_ids_are_a_shuffle_of_1_to_n(db: duckdb.DuckDBPyConnection) -> None:
    orders = count(db, "select count(*) from orders")
    assert count(db, "select count(distinct order_id) from orders") == orders
    assert count(db, "select max(order_id) from orders") == orders
    # An order's id tells nothing of its shopper: were they in step, the correlation would be near 1.
    assert abs(float(db.execute("select corr(order_id, user_id) from orders").fetchall()[0][0])) < 0.05


def test_only_the_last_order_is_train_or_test(db: duckdb.DuckDBPyConnection) -> None:
    wrong = """select count(*) from (select *, max(order_number) over (partition by user_id) as last from orders)
        where (eval_set = 'prior') <> (order_number < last) or eval_set not in ('prior', 'train', 'test')"""
    assert count(db, wrong) == 0
    assert count(db, "select count(distinct eval_set) from orders") == 3


def test_every_order_but_the_test_ones_has_lines_in_the_right_file(db: duckdb.DuckDBPyConnection) -> None:
    wrong = """select count(*) from orders
        full join (select order_id, min(kind) as kind from lines group by 1) as filled using (order_id)
        where eval_set is null or (eval_set = 'test') <> (kind is null) or eval_set <> kind"""
    assert count(db, wrong) == 0


def test_cart_positions_run_from_1_without_gaps_and_products_do_not_repeat(db: duckdb.DuckDBPyConnection) -> None:
    wrong = """select count(*) from (select order_id, count(*) as n, count(distinct add_to_cart_order) as positions,
        min(add_to_cart_order) as low, max(add_to_cart_order) as high, count(distinct product_id) as products
        from lines group by 1) where low <> 1 or high <> n or positions <> n or products <> n"""
    assert count(db, wrong) == 0


def test_reordered_is_exactly_whether_the_shopper_had_it_before(db: duckdb.DuckDBPyConnection) -> None:
    wrong = """select count(*) from (select reordered, row_number() over
        (partition by user_id, product_id order by order_number) as times from lines join orders using (order_id))
        where reordered <> (times > 1)::int"""
    assert count(db, wrong) == 0
    assert count(db, "select count(distinct reordered) from lines") == 2


def test_a_weekday_follows_from_the_one_before_and_the_gap(db: duckdb.DuckDBPyConnection) -> None:
    seen = """from (select *, lag(order_dow) over (partition by user_id order by order_number) as before from orders)
        where days_since_prior_order < 30"""
    assert count(db, f"select count(*) {seen} and order_dow <> (before + days_since_prior_order) % 7") == 0
    assert count(db, f"select count(*) {seen}") > 10_000


def test_gaps_are_written_as_instacart_does(shop: Path) -> None:
    texts = {1: set(), 2: set()}
    for line in (shop / "orders.csv").read_text().splitlines()[1:]:
        fields = line.split(",")
        texts[1 if fields[3] == "1" else 2].add(fields[6])
    assert texts[1] == {""}
    assert texts[2] == {f"{days}.0" for days in range(31)}


def test_the_catalogue_is_whole(db: duckdb.DuckDBPyConnection) -> None:
    assert count(db, "select count(*) from products") == 49_688
    assert count(db, "select count(distinct product_name) from products") == 49_688
    assert count(db, "select count(distinct product_id) from products where product_id between 1 and 49688") == 49_688
    assert count(db, "select count(*) from aisles join products using (aisle_id)") == 49_688
    assert count(db, "select count(distinct aisle_id) from products") == 134
    assert count(db, "select count(distinct department_id) from products join departments using (department_id)") == 21
    assert (
        count(db, "select max(n) from (select count(distinct department_id) as n from products group by aisle_id)") == 1
    )
    assert count(db, "select count(*) from lines anti join products using (product_id)") == 0


def test_names_with_commas_are_quoted(shop: Path) -> None:
    lines = (shop / "products.csv").read_text().splitlines()
    quoted = [line for line in lines if '"' in line]
    assert 2_500 < len(quoted) < 4_000
    assert all(line.count(",") == 3 for line in lines if '"' not in line)


def test_the_same_seed_gives_the_same_bytes_however_many_workers(shop: Path, tmp_path: Path) -> None:
    generate(1500, 7, tmp_path / "again", workers=2)
    assert digest(tmp_path / "again") == digest(shop)


def test_another_seed_gives_other_shoppers_in_the_same_shop(shop: Path, tmp_path: Path) -> None:
    generate(1500, 8, tmp_path / "other", workers=1)
    other, one = digest(tmp_path / "other"), digest(shop)
    assert {name for name in FILES if other[name] == one[name]} == {"aisles.csv", "departments.csv", "products.csv"}


@pytest.mark.parametrize("shoppers", [1, 2, 50])
def test_a_tiny_shop_works(shoppers: int, tmp_path: Path) -> None:
    report = generate(shoppers, 1, tmp_path / "tiny")
    orders = (tmp_path / "tiny" / "orders.csv").read_text().splitlines()[1:]
    prior = (tmp_path / "tiny" / "order_products__prior.csv").read_text().splitlines()[1:]
    assert report.shoppers == shoppers == len({line.split(",")[1] for line in orders})
    assert (report.orders, report.prior_lines) == (len(orders), len(prior))


@pytest.mark.parametrize("shoppers", [0, -5, 10**9])
def test_an_unusable_number_of_shoppers_is_refused(shoppers: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"between 1 and 5,000,000 shoppers"):
        generate(shoppers, 1, tmp_path / "shop")
    assert not list(tmp_path.iterdir())


def test_a_negative_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="seed -1 is negative"):
        generate(1, -1, tmp_path / "shop")


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not an empty folder"):
        generate(1, 1, tmp_path)
    with pytest.raises(InputError, match="not an empty folder"):
        generate(1, 1, tmp_path / "notes.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    generate(1, 1, tmp_path / "shop")
    assert {path.name for path in (tmp_path / "shop").glob("*.csv")} == set(FILES)


def test_progress_rises_to_one(tmp_path: Path) -> None:
    seen: list[float | None] = []
    generate(1100, 1, tmp_path / "shop", lambda _message, fraction: seen.append(fraction))
    assert seen == [0.0, 0.5, 1.0, 1.0]


def test_a_full_disk_leaves_nothing_and_says_so(small_disk: Path) -> None:
    with pytest.raises(HomeError, match=r"No space left on device; free some space"):
        generate(500, 1, small_disk / "shop")
    assert list(small_disk.iterdir()) == []


def test_a_killed_generation_leaves_no_shop_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    # The child says when the first chunk is written and then waits: it is killed in the midst of its work.
    child = """
import sys
from pathlib import Path
from nextbasket.grocery.sample import generate

def pause(message, fraction):
    if fraction:
        print(message, flush=True)
        sys.stdin.read()

if __name__ == "__main__":
    generate(3000, 1, Path(sys.argv[1]), pause, workers=2)
"""
    command = [sys.executable, "-c", child, str(tmp_path / "shop")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().endswith("orders\n")
        assert [path.name for path in tmp_path.iterdir()] == [f".shop.partial-{process.pid}"]
        workers = [os.pidfd_open(worker) for worker in children(process.pid)]
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(workers) >= 2
    for worker in workers:
        # A process's descriptor becomes readable when it ends.
        assert select.select([worker], [], [], 30)[0], "a worker outlived the process that started it"
        os.close(worker)
    assert not (tmp_path / "shop").exists()
    generate(10, 1, tmp_path / "shop")
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]


def children(process: int) -> list[int]:
    return [
        int(found)
        for task in Path(f"/proc/{process}/task").iterdir()
        for found in (task / "children").read_text().split()
    ]
