"""One chunk of shoppers, from its seed to CSV bytes: the work that the worker processes share."""

import io
import os
import threading
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import wait
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from nextbasket.grocery.sample.baskets import draw_lines
from nextbasket.grocery.sample.calibration import fitted
from nextbasket.grocery.sample.catalogue import fitted_catalogue
from nextbasket.grocery.sample.visits import CAPPED_GAP, draw_visits, fitted_visit_tables

Integers = NDArray[np.int64]

_PRIOR, _TRAIN, _TEST = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Task:
    """One chunk: its place (from 0), the seed, orders per shopper, the first shopper's id, and the order ids."""

    place: int
    seed: int
    orders: Integers
    first_shopper: int
    order_ids: Integers


@dataclass(frozen=True, slots=True)
class Written:
    """A chunk as CSV bytes without headers."""

    orders: bytes
    prior: bytes
    train: bytes
    order_count: int
    prior_count: int
    train_count: int


def stream(seed: int, place: int, use: int) -> np.random.Generator:
    """Return the random numbers of one place (a chunk) and use; no two of them overlap."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(place, use)))


def begin_worker() -> None:
    """Keep a worker to one core, for the workers themselves are the parallelism, and let it end with its parent."""
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    # A killed parent tells its workers nothing: without this they would wait for their next task for ever.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def make_chunk(task: Task) -> Written:
    """Draw the shoppers of a chunk and write them as CSV; the same task gives the same bytes."""
    rng = stream(task.seed, task.place, 1)
    parameters = fitted()
    shoppers = len(task.orders)
    visits = draw_visits(task.orders, rng, fitted_visit_tables(), parameters)
    catalogue = fitted_catalogue()
    lines = draw_lines(visits, catalogue, rng, parameters)
    # The simulation needs the shoppers by number of orders; their ids must not show it.
    place_of = rng.permutation(shoppers)
    by_id = np.argsort(place_of)
    orders_by_id = visits.orders[by_id]
    first_order = np.concatenate([[0], np.cumsum(orders_by_id)[:-1]])
    count = int(orders_by_id.sum())
    shopper = np.repeat(by_id, orders_by_id)
    visit = np.arange(count) - np.repeat(first_order, orders_by_id)
    order_id = task.order_ids
    last = visit == visits.orders[shopper] - 1
    kind = np.where(last, np.where(visits.labelled[shopper], _TRAIN, _TEST), _PRIOR)
    orders = _table(
        {
            "order_id": order_id,
            "user_id": np.repeat(np.arange(shoppers) + task.first_shopper, orders_by_id),
            "eval_set": _SETS.take(pa.array(kind, pa.int64())),
            "order_number": visit + 1,
            "order_dow": visits.weekday[visit, shopper],
            "order_hour_of_day": visits.hour[visit, shopper],
            "days_since_prior_order": _GAP_TEXTS.take(pa.array(visits.gap[visit, shopper].astype(np.int64) + 1)),
        }
    )
    # Where each line's order stands in the files, then the lines sorted by that, cart position kept.
    row = first_order[place_of[lines.shopper]] + lines.visit
    order = np.argsort(row, kind="stable")
    row = row[order]
    lines_table = _table(
        {
            "order_id": order_id[row],
            "product_id": catalogue.product_id[lines.product[order]],
            "add_to_cart_order": lines.position[order],
            "reordered": lines.reordered[order].astype(np.int8),
        }
    )
    in_train = kind[row] == _TRAIN
    prior, train = lines_table.filter(pa.array(~in_train)), lines_table.filter(pa.array(in_train))
    return Written(_csv(orders), _csv(prior), _csv(train), orders.num_rows, prior.num_rows, train.num_rows)


_SETS = pa.array(["prior", "train", "test"])
_GAP_TEXTS = pa.array([None, *(f"{days}.0" for days in range(CAPPED_GAP + 1))])


def _table(columns: dict[str, Any]) -> pa.Table:
    return pa.table({name: pa.array(values) for name, values in columns.items()})


def _csv(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    options = arrow_csv.WriteOptions(include_header=False, quoting_style="none", batch_size=65536)
    arrow_csv.write_csv(table, sink, options)
    return sink.getvalue()
