"""Thirty days of a small shop as daily files, and the orders in which they may come; shares no code with the loader."""

import csv
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

ORDERS = ("order_id", "user_id", "order_number", "order_dow", "order_hour_of_day", "days_since_prior_order")
LINES = ("order_id", "product_id", "add_to_cart_order", "reordered")
PRODUCTS = ("product_id", "product_name", "aisle_id", "department_id")

Row = tuple[str, ...]


def text(header: Sequence[str], rows: Sequence[Row], junk: Sequence[str] = ()) -> str:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue() + "".join(f"{line}\n" for line in junk)


@dataclass(frozen=True)
class Delivered:
    """A file that comes: its path in the source, its content, and which delivery of the same name it follows."""

    path: str
    content: str
    after: int | None = None


@dataclass
class Days:
    """The truth, and the files in which it comes."""

    orders: list[Row] = field(default_factory=list)
    lines: list[Row] = field(default_factory=list)
    products: list[Row] = field(default_factory=list)
    files: list[Delivered] = field(default_factory=list)

    def bulk(self) -> dict[str, str]:
        return {
            "orders.csv": text(ORDERS, self.orders),
            "order_products.csv": text(LINES, self.lines),
            "products.csv": text(PRODUCTS, self.products),
        }


def make_days(seed: int, days: int = 30, shoppers: int = 12) -> Days:
    """Make the truth, day by day, and files that say it: some of them wrong first, some late, twice or renamed."""
    chance = random.Random(seed)  # noqa: S311 a test's seeded choice
    made = Days()
    numbers = dict.fromkeys(range(1, shoppers + 1), 0)
    products: dict[int, Row] = {}
    ids = list(range(1, 10_000))
    chance.shuffle(ids)
    for day in range(days):
        date = f"2026-10-{day + 1:02d}"
        orders, lines = [], []
        for user in chance.sample(sorted(numbers), chance.randint(3, 6)):
            numbers[user] += 1
            order = str(ids.pop())
            gap = "" if numbers[user] == 1 else f"{chance.randint(0, 30)}.0"
            orders.append((order, str(user), str(numbers[user]), str(day % 7), f"{chance.randint(0, 23):02d}", gap))
            basket = chance.sample(range(100, 140), chance.randint(0, 5))
            for place, product in enumerate(basket, 1):
                if product not in products:
                    products[product] = (str(product), f"Product, {product}", str(product % 3), "1")
                lines.append((order, str(product), str(place), str(chance.randint(0, 1))))
        made.orders += orders
        made.lines += lines
        _deliver(made, chance, f"orders_{date}.csv", ORDERS, orders, 4, "x,y")
        name = f"order_products/{date}.csv" if day % 2 else f"order_products/day={date}/part.csv"
        _deliver(made, chance, name, LINES, lines, 3, '7,"8,9,0')
    made.products = list(products.values())
    made.files.append(Delivered("products.csv", text(PRODUCTS, made.products)))
    return made


def _deliver(
    made: Days, chance: random.Random, path: str, header: Sequence[str], rows: list[Row], change: int, junk: str
) -> None:
    torn = [junk] if chance.random() < 0.3 else []
    right = text(header, rows, torn)
    kind = chance.choice(["plain", "plain", "twice", "renamed", "corrected", "corrected", "in parts"])
    if kind == "corrected" and rows:
        wrong = [_changed(row, change) if chance.random() < 0.3 else row for row in rows]
        # One row that is withdrawn later: for orders of a new shopper, for lines of a product that nobody bought.
        extra = ("99" + rows[0][0], "77", *rows[0][2:]) if header is ORDERS else (rows[0][0], "139999", "9", "0")
        made.files.append(Delivered(path, text(header, [*wrong[:-1], extra], torn)))
        made.files.append(Delivered(path, right, after=len(made.files) - 1))
    elif kind == "in parts" and len(rows) > 1:
        made.files.append(Delivered(path, text(header, rows[:1], torn)))
        late = path.replace(".csv", "-0001.csv") if "part.csv" in path else path.replace(".csv", "_0101.csv")
        made.files.append(Delivered(late, text(header, rows[1:])))
    else:
        made.files.append(Delivered(path, right))
        if kind in ("twice", "renamed"):
            again = path if kind == "twice" else path.replace(".csv", "_2359.csv")
            made.files.append(Delivered(again, right))


def _changed(row: Row, at: int) -> Row:
    value = "5" if row[at] in ("", "0", "1") else "1"
    return (*row[:at], "1" if at == 3 else value, *row[at + 1 :])


def shuffled(days: Days, seed: int) -> list[Delivered]:
    """Return the files in a random order in which a correction never comes before what it corrects."""
    chance = random.Random(seed)  # noqa: S311 a test's seeded choice
    places = [chance.random() for _ in days.files]
    for at, file in enumerate(days.files):
        if file.after is not None and places[at] < places[file.after]:
            places[at], places[file.after] = places[file.after], places[at]
    return [days.files[at] for at in sorted(range(len(places)), key=lambda at: places[at])]
