"""Measure a shop in the Instacart layout with the figures that generated shops are calibrated to.

It reads any folder of the six CSV files, so the real set, where somebody has it, can be measured the same way.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from nextbasket.grocery.sample.calibration import facts


@dataclass(frozen=True, slots=True)
class Figure:
    """One calibrated figure: what was aimed at, what was reached, and how far apart they may lie."""

    name: str
    target: float
    reached: float
    tolerance: float

    @property
    def kept(self) -> bool:
        """Whether the figure lies within its tolerance."""
        return abs(self.reached - self.target) <= self.tolerance


_VIEWS = """
create table orders as select order_id, user_id, eval_set, order_number, order_dow dow, order_hour_of_day as hour,
    days_since_prior_order gap from read_csv(getvariable('folder') || '/orders.csv');
create table lines as
    select order_id, product_id, add_to_cart_order as position, reordered, 'prior' as kind
        from read_csv(getvariable('folder') || '/order_products__prior.csv')
    union all select order_id, product_id, add_to_cart_order, reordered, 'train'
        from read_csv(getvariable('folder') || '/order_products__train.csv');
create table products as from read_csv(getvariable('folder') || '/products.csv');
create table shoppers as select user_id, count(*) as orders, arg_max(eval_set, order_number) as last_set from orders
    group by 1;
create table baskets as select order_id, kind, count(*) as size, sum(reordered) as known from lines group by 1, 2;
create table sold as select product_id, count(*) as lines, sum(reordered) as again from lines group by 1;
create table pairs as select user_id, product_id from lines join orders using (order_id) where kind = 'prior'
    group by 1, 2;
"""


class Measured:
    """A measured shop; ``folder`` holds the six CSV files."""

    def __init__(self, folder: Path) -> None:
        self._db = duckdb.connect()
        self._db.execute("set variable folder = ?", [str(folder)])
        self._db.execute(_VIEWS)

    def number(self, query: str) -> float:
        """Return the one number a query gives."""
        row = self._db.execute(query).fetchone()
        return float(row[0]) if row and row[0] is not None else float("nan")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        return self._db.execute(query).fetchall()

    def figures(self) -> list[Figure]:
        """Return every calibrated figure: means within 2 %, shares within 1 point, distances by their own limits."""
        return [
            *self._visits(),
            *self._baskets(),
            *self._positions(),
            *self._popularity(),
            *self._habits(),
        ]

    def _visits(self) -> list[Figure]:
        totals = facts()["totals"]
        gap_counts = facts()["gap_days_0_30"]
        hours = facts()["orders_by_weekday_and_hour"]
        all_orders = sum(map(sum, hours))
        found = [
            _mean(
                "orders per shopper", totals["mean_orders_per_user"], self.number("select avg(orders) from shoppers")
            ),
            _share(
                "shoppers whose last order is train",
                totals["orders_train"] / totals["users"],
                self.number("select avg((last_set = 'train')::int) from shoppers"),
            ),
            _share(
                "orders without a gap",
                totals["null_gap_share"],
                self.number("select avg((gap is null)::int) from orders"),
            ),
            # Two measurements of the mean gap, 11.07 and 11.20, frame the target.
            _mean("gap in days", 11.13, self.number("select avg(gap) from orders")),
            _mean(
                "gap in days before the last order",
                facts()["mean_gap_of_final_order"],
                self.number("select avg(gap) from orders where eval_set <> 'prior'"),
            ),
        ]
        for days in (0, 1, 3, 7, 14, 21, 28, 30):
            found.append(
                _share(
                    f"gaps of {days} days",
                    gap_counts[days] / sum(gap_counts),
                    self.number(f"select avg((gap = {days})::int) from orders where gap is not null"),  # noqa: S608 - a number of ours
                )
            )
        by_weekday = dict(self.rows("select dow, count(*) / sum(count(*)) over () from orders group by 1"))
        for weekday in range(7):
            found.append(
                _share(f"orders on weekday {weekday}", sum(hours[weekday]) / all_orders, by_weekday.get(weekday, 0.0))
            )
        by_hour = dict(self.rows("select hour, count(*) / sum(count(*)) over () from orders group by 1"))
        for hour in range(24):
            target = sum(row[hour] for row in hours) / all_orders
            found.append(_share(f"orders at {hour} h", target, by_hour.get(hour, 0.0)))
        distance = self._distance(
            [0] * 4 + facts()["orders_per_shopper_from_4"],
            "select orders, count(*) from shoppers group by 1",
        )
        found.append(Figure("orders per shopper, Kolmogorov-Smirnov distance", 0.0, distance, 0.03))
        return found

    def _baskets(self) -> list[Figure]:
        totals = facts()["totals"]
        found = []
        for kind in ("prior", "train"):
            found += [
                _mean(
                    f"lines per {kind} basket",
                    totals[f"mean_basket_{kind}"],
                    self.number(f"select avg(size) from baskets where kind = '{kind}'"),  # noqa: S608 - a word of ours
                ),
                _share(
                    f"reordered share of {kind} lines",
                    totals[f"{kind}_reordered_share"],
                    self.number(f"select avg(reordered) from lines where kind = '{kind}'"),  # noqa: S608 - a word of ours
                ),
                _share(
                    f"{kind} orders without a reordered line",
                    facts()[f"orders_without_reordered_{kind}"],
                    self.number(f"select avg((known = 0)::int) from baskets where kind = '{kind}'"),  # noqa: S608 - a word of ours
                ),
                _share(
                    f"{kind} orders of reordered lines only",
                    facts()[f"orders_all_reordered_{kind}"],
                    self.number(f"select avg((known = size)::int) from baskets where kind = '{kind}'"),  # noqa: S608 - a word of ours
                ),
                Figure(
                    f"{kind} basket size, Kolmogorov-Smirnov distance",
                    0.0,
                    self._distance(
                        [0, *facts()[f"basket_size_from_1_{kind}"]],
                        f"select least(size, 60), count(*) from baskets where kind = '{kind}' group by 1",  # noqa: S608 - a word of ours
                    ),
                    0.03,
                ),
            ]
        found.append(
            _mean(
                "known products per shopper (candidates)",
                totals["candidates_per_user"],
                self.number("select (select count(*) from pairs) / (select count(*) from shoppers)"),
            )
        )
        labelled = "from pairs join (select user_id, order_id from orders where eval_set = 'train') using (user_id)"
        found.append(
            _share(
                "positive share of train candidates",
                totals["positive_share_train_candidates"],
                self.number(
                    "select count(position) / count(*) " + labelled + " left join lines using (order_id, product_id)"
                ),
            )
        )
        return found

    def _positions(self) -> list[Figure]:
        found = []
        for kind in ("prior", "train"):
            rows = dict(
                self.rows(f"select position, avg(reordered) from lines where kind = '{kind}' group by 1")  # noqa: S608 - a word of ours
            )
            for position, (lines, target) in enumerate(facts()[f"reordered_by_position_{kind}"], start=1):
                if lines >= 1000:
                    name = f"reordered share at position {position} of {kind} baskets"
                    found.append(Figure(name, target, rows.get(position, 0.0), 0.03))
        return found

    def _popularity(self) -> list[Figure]:
        found = []
        for top, target in facts()["cumulative_line_share_of_top_products"].items():
            if int(top) in (10, 100, 1000):
                reached = self.number(
                    "select sum(lines) / (select count(*) from lines) from "  # noqa: S608 - a number of ours
                    f"(from sold order by lines desc limit {int(top)})"
                )
                found.append(Figure(f"line share of the top {top} products", target, reached, 0.02))
        organic = "from products left join sold using (product_id)"
        found += [
            _share(
                "product names with Organic",
                facts()["organic"]["names"],
                self.number(f"select avg((product_name like '%Organic%')::int) {organic}"),
            ),
            _share(
                "lines of organic products",
                facts()["organic"]["lines"],
                self.number(f"select sum(lines) filter (product_name like '%Organic%') / sum(lines) {organic}"),
            ),
        ]
        by_department = dict(
            self.rows(
                "select department_id, sum(lines) / sum(sum(lines)) over () from sold join products using (product_id) "
                "group by 1"
            )
        )
        again = dict(
            self.rows(
                "select department_id, sum(again) / sum(lines) from sold join products using (product_id) group by 1"
            )
        )
        for department_id, name, share, rate in facts()["departments"]:
            found.append(_share(f"line share of {name}", share, by_department.get(department_id, 0.0)))
            if share >= 0.02:
                found.append(Figure(f"reordered share of {name}", rate, again.get(department_id, 0.0), 0.03))
        return found

    def _habits(self) -> list[Figure]:
        modal = """select avg(best / total) from (select user_id, max(n) as best, sum(n) as total from
            (select user_id, {0}, count(*) as n from orders group by 1, 2) group by 1) where total >= 10"""
        odd = """select count(*) from (select gap, dow, lag(dow) over (partition by user_id order by order_number) as
            before from orders) where gap < 30 and dow <> (before + gap) % 7"""
        return [
            Figure(
                "own most usual weekday's share",
                facts()["own_modal_weekday_share"],
                self.number(modal.format("dow")),
                0.02,
            ),
            Figure(
                "own most usual hour's share", facts()["own_modal_hour_share"], self.number(modal.format("hour")), 0.02
            ),
            Figure("weekdays that contradict their gap", 0.0, self.number(odd), 0.0),
        ]

    def _distance(self, counts: list[int], query: str) -> float:
        """Return the Kolmogorov-Smirnov distance between target ``counts`` by class and a query's (class, count)."""
        reached = dict(self.rows(query))
        all_target, all_reached = sum(counts), sum(reached.values())
        below_target = below_reached = distance = 0.0
        for size in range(max(len(counts), 1 + max(reached, default=0))):
            below_target += (counts[size] if size < len(counts) else 0) / all_target
            below_reached += reached.get(size, 0) / all_reached
            distance = max(distance, abs(below_target - below_reached))
        return distance


def _mean(name: str, target: float, reached: float) -> Figure:
    return Figure(name, target, reached, 0.02 * target)


def _share(name: str, target: float, reached: float) -> Figure:
    return Figure(name, target, reached, 0.01)
