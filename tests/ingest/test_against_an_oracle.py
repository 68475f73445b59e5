"""Random shops with injected faults, loaded, and worked out by plain Python that shares no code with the loader."""

import csv
import io
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

HEADER_OF_ORDERS = ["order_id", "user_id", "eval_set", "order_number", "order_dow"]
HEADER_OF_LINES = ["order_id", "product_id", "add_to_cart_order", "reordered"]

_orders = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", "3", "4", "5", "6", " 6", ""]),
        st.sampled_from(["7", "8", "9", ""]),
        st.sampled_from(["prior", "train", "test", "", "what"]),
        st.sampled_from(["1", "2", "3", "3.0", "0", "x", ""]),
        st.sampled_from(["0", "6", "7", "", "NA", "1.5"]),
    ),
    min_size=1,
    max_size=12,
)
_lines = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", "3", "4", "6", "77", ""]),
        st.sampled_from(["10", "11", "X12", "", "010"]),
        st.sampled_from(["1", "2", "", "0", "one"]),
        st.sampled_from(["0", "1", "", "2"]),
    ),
    max_size=12,
)
_late = st.lists(
    st.tuples(
        st.sampled_from(["2", "6", "77", "78", ""]),
        st.sampled_from(["7", "9"]),
        st.sampled_from(["prior", "train", ""]),
        st.sampled_from(["1", "4", "x"]),
        st.sampled_from(["0", ""]),
    ),
    min_size=1,
    max_size=5,
)
_torn = st.lists(st.sampled_from(["1,2", "1,2,3,4,5,6,7,8", '"1,7,prior,1,0']), max_size=2)


def _text(header: list[str], rows: list[tuple[str, ...]], torn: list[str]) -> str:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue() + "".join(f"{line}\n" for line in torn)


def _whole(text: str, low: int, high: int) -> int | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number == int(number) and low <= number <= high else None


def _nothing(text: str) -> bool:
    return text.strip().upper() in ("", "NA")


def _order(row: tuple[str, ...]) -> tuple[Any, ...] | None:
    order, user, eval_set, number, dow = row
    if not order.strip() or not user.strip() or eval_set not in ("", "prior", "train", "test"):
        return None
    if _whole(number, 1, 1_000_000) is None or (not _nothing(dow) and _whole(dow, 0, 6) is None):
        return None
    day = None if _nothing(dow) else _whole(dow, 0, 6)
    return (order.strip(), user.strip(), eval_set or None, _whole(number, 1, 1_000_000), day)


def _line(row: tuple[str, ...], orders: set[str]) -> tuple[Any, ...] | None:
    order, product, position, reordered = row
    if not order or not product or order not in orders:
        return None
    if (position and _whole(position, 1, 1_000_000) is None) or (reordered and _whole(reordered, 0, 1) is None):
        return None
    return (order, product, int(position) if position else None, int(reordered) if reordered else None)


def _merged(rows: list[Any], key: Any) -> tuple[dict[Any, Any], int]:
    found: dict[Any, Any] = {}
    again = 0
    for row in rows:
        again += key(row) in found
        found[key(row)] = row
    return found, again


def _eval_sets(orders: dict[str, Any], with_lines: set[str]) -> dict[str, str]:
    given = {order: row[2] for order, row in orders.items()}
    if orders and None not in given.values() and "train" in given.values():
        return given
    return _derived(orders, with_lines)


def _derived(orders: dict[str, Any], with_lines: set[str]) -> dict[str, str]:
    derived = {}
    for user in {row[1] for row in orders.values()}:
        mine = sorted((row[3], row[0]) for row in orders.values() if row[1] == user)
        known = [place for place, (_, order) in enumerate(mine) if order in with_lines]
        for place, (_, order) in enumerate(mine):
            last = known[-1] if known else -1
            derived[order] = "train" if place == last else "prior" if place < last else "test"
    return derived


@pytest.mark.slow
# Not shrunk: an example is a whole load, and they are small as they are.
@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(orders=_orders, lines=_lines, later=_lines, late=_late, torn=_torn, direct=st.booleans())
def test_the_tables_and_the_fates_are_those_of_plain_python(
    tmp_path_factory: pytest.TempPathFactory,
    make_home: Any,
    orders: list[tuple[str, ...]],
    lines: list[tuple[str, ...]],
    later: list[tuple[str, ...]],
    late: list[tuple[str, ...]],
    torn: list[str],
    direct: bool,
) -> None:
    home = make_home(tmp_path_factory.mktemp("oracle"))
    home.direct_from = 0 if direct else 1 << 30
    first = home.take(
        {
            "orders.csv": _text(HEADER_OF_ORDERS, orders, torn),
            "products.csv": "product_id,product_name\n10,Milk\n",
            "order_products.csv": _text(HEADER_OF_LINES, lines, torn),
        }
    )
    second = home.take({"order_products/later.csv": _text(HEADER_OF_LINES, later, [])})

    good_orders = [row for row in map(_order, orders) if row is not None]
    kept, orders_again = _merged(good_orders, lambda row: row[0])
    good_lines = [row for row in (_line(one, set(kept)) for one in lines) if row is not None]
    later_lines = [row for row in (_line(one, set(kept)) for one in later) if row is not None]
    _, again_now = _merged(good_lines, lambda row: row[:2])
    all_lines, again_in_all = _merged(good_lines + later_lines, lambda row: row[:2])
    eval_sets = _eval_sets(kept, {row[0] for row in all_lines.values()})

    (fate,) = [file for file in first.files if file.table == "orders"]
    bad = len(orders) - len(good_orders) + len(torn)
    assert (fate.accepted, fate.merged, fate.quarantined) == (len(kept), orders_again, bad)
    (fate,) = [file for file in first.files if file.table == "order_products"]
    bad = len(lines) - len(good_lines) + len(torn)
    assert (fate.accepted, fate.merged, fate.quarantined) == (len(good_lines) - again_now, again_now, bad)
    # Where an id became text, the report names the earlier files too: they were loaded again.
    for fate in (file for file in second.files if file.key == "order_products/later.csv"):
        merged = again_in_all - again_now
        assert (fate.accepted, fate.merged) == (len(later_lines) - merged, merged)
        assert fate.quarantined == len(later) - len(later_lines)

    _assert_tables(home, kept, all_lines, eval_sets)

    # Orders that come after their lines: those lines waited.
    home.take({"orders/late.csv": _text(HEADER_OF_ORDERS, late, [])})
    good_late = [row for row in map(_order, late) if row is not None]
    given = eval_sets == {order: row[2] for order, row in kept.items()} and "train" in eval_sets.values()
    none_before = not kept
    # A file of the very same content is not loaded again.
    later = [] if later == lines and not torn else later
    kept, _ = _merged([*kept.values(), *good_late], lambda row: row[0])
    everything = [row for row in (_line(one, set(kept)) for one in [*lines, *later]) if row is not None]
    all_lines, _ = _merged(everything, lambda row: row[:2])
    if none_before:
        eval_sets = _eval_sets(kept, {row[0] for row in all_lines.values()})
    elif not given or any(kept[row[0]][2] is None for row in good_late):
        eval_sets = _derived(kept, {row[0] for row in all_lines.values()})
    else:
        eval_sets = {order: row[2] for order, row in kept.items()}
    _assert_tables(home, kept, all_lines, eval_sets)
    ledger = home.catalog.ledger("shop.order_products")
    assert sum(file.accepted for file in ledger) == len(all_lines)
    assert sum(file.quarantined for file in ledger) == len(torn) + len(lines) + len(later) - len(everything)
    assert len(home.quarantined("order_products")) == len(torn) + len(lines) + len(later) - len(everything)


def _assert_tables(home: Any, kept: dict[str, Any], all_lines: dict[Any, Any], eval_sets: dict[str, str]) -> None:
    stored = home.rows("SELECT order_id, user_id, eval_set, order_number, order_dow FROM shop.orders")
    expected = [(row[0], row[1], eval_sets[row[0]], row[3], row[4]) for row in kept.values()]
    assert sorted((str(row[0]), str(row[1]), *row[2:]) for row in stored) == sorted(expected)
    stored = home.rows("SELECT order_id, product_id, add_to_cart_order, reordered FROM shop.order_products")
    assert sorted(((str(row[0]), str(row[1]), *row[2:]) for row in stored), key=str) == sorted(
        all_lines.values(), key=str
    )
    stored = home.rows("SELECT order_id, user_id, eval_set, product_id FROM shop.order_products_prior")
    prior = [(row[0], kept[row[0]][1], "prior", row[1]) for row in all_lines.values() if eval_sets[row[0]] == "prior"]
    assert sorted((str(row[0]), str(row[1]), row[2], str(row[3])) for row in stored) == sorted(prior)
