"""Generate a shop: chunks of shoppers in worker processes, CSV files written whole or not at all."""

import csv
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from nextbasket.errors import HomeError, InputError
from nextbasket.grocery.sample.calibration import facts
from nextbasket.grocery.sample.catalogue import fitted_catalogue
from nextbasket.grocery.sample.chunk import Task, Written, begin_worker, make_chunk, stream
from nextbasket.grocery.sample.names import product_names
from nextbasket.grocery.sample.visits import draw_orders
from nextbasket.progress import Progress, silent

MOST_SHOPPERS = 5_000_000
"""More than this is taken for a mistake: it would be 25 times the whole Instacart set."""

_CHUNK = 1024
_ORDERS_HEADER = "order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,days_since_prior_order\n"
_LINES_HEADER = "order_id,product_id,add_to_cart_order,reordered\n"


@dataclass(frozen=True, slots=True)
class SampleReport:
    """What was generated, and where."""

    folder: Path
    seed: int
    shoppers: int
    products: int
    orders: int
    prior_lines: int
    train_lines: int


def generate(
    shoppers: int, seed: int, to: Path, progress: Progress = silent, *, workers: int | None = None
) -> SampleReport:
    """Write a generated shop in the Instacart layout into the folder ``to``, which must be new or empty.

    The same seed and number of shoppers give the same bytes, however many ``workers`` (default: one per core, at most
    8) share the work. The folder appears whole or not at all. Raises InputError for an unusable number of shoppers,
    seed or folder, HomeError where the folder cannot be written.
    """
    _check(shoppers, seed, to)
    partial = to.parent / f".{to.name}.partial-{os.getpid()}"
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        _sweep(to)
        partial.mkdir()
    except OSError as error:
        raise HomeError(f"cannot write beside {to}: {error.strerror}; choose a folder you may write to.") from error
    try:
        report = _write_shop(partial, shoppers, seed, to, progress, workers)
        partial.rename(to)
    except OSError as error:
        raise HomeError(
            f"cannot write the shop to {to}: {error.strerror}; free some space or choose another folder."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    progress("shop written", 1.0)
    return report


def _check(shoppers: int, seed: int, to: Path) -> None:
    if not 1 <= shoppers <= MOST_SHOPPERS:
        raise InputError(
            f"a shop needs between 1 and {MOST_SHOPPERS:,} shoppers, not {shoppers:,}; give another number."
        )
    if seed < 0:
        raise InputError(f"the seed {seed} is negative; give 0 or a positive number.")
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise InputError(f"{to} is there already and is not an empty folder; name a new one.")


def _sweep(to: Path) -> None:
    """Remove what killed generations of the same folder left behind."""
    for left in to.parent.glob(f".{to.name}.partial-*"):
        owner = left.name.rpartition("-")[2]
        if owner.isdigit() and not _alive(int(owner)):
            shutil.rmtree(left, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return process != os.getpid()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _write_shop(
    folder: Path, shoppers: int, seed: int, to: Path, progress: Progress, workers: int | None
) -> SampleReport:
    progress("making the catalogue", 0.0)
    products = _write_catalogue(folder)
    tasks = _tasks(shoppers, seed)
    orders = prior = train = 0
    with (
        (folder / "orders.csv").open("wb") as orders_file,
        (folder / "order_products__prior.csv").open("wb") as prior_file,
        (folder / "order_products__train.csv").open("wb") as train_file,
    ):
        orders_file.write(_ORDERS_HEADER.encode())
        prior_file.write(_LINES_HEADER.encode())
        train_file.write(_LINES_HEADER.encode())
        for place, written in enumerate(_chunks(tasks, workers), start=1):
            orders_file.write(written.orders)
            prior_file.write(written.prior)
            train_file.write(written.train)
            orders += written.order_count
            prior += written.prior_count
            train += written.train_count
            progress(f"{orders:,} orders", place / len(tasks))
    report = SampleReport(to, seed, shoppers, products, orders, prior, train)
    (folder / "README.txt").write_text(_readme(report), encoding="utf-8")
    return report


def _tasks(shoppers: int, seed: int) -> list[Task]:
    """Cut the shop into chunks of shoppers; order ids are drawn for the whole shop so that they tell nothing."""
    firsts = range(0, shoppers, _CHUNK)
    counts = [draw_orders(min(_CHUNK, shoppers - first), stream(seed, place, 0)) for place, first in enumerate(firsts)]
    ends = np.cumsum([int(count.sum()) for count in counts])
    ids = stream(seed, len(counts), 0).permutation(int(ends[-1])) + 1
    parts = np.split(ids, ends[:-1])
    return [
        Task(place, seed, count, first + 1, part)
        for place, (first, count, part) in enumerate(zip(firsts, counts, parts, strict=True))
    ]


def _readme(report: SampleReport) -> str:
    return (
        "GENERATED DATA: no real shopper, order or product is in this folder.\n\n"
        "Made by `nextbasket sample` in the layout of the Instacart 2017 data, calibrated to figures measured on it;\n"
        "it is not that data, and results on it say nothing about real shoppers.\n\n"
        f"seed: {report.seed}\nshoppers: {report.shoppers}\nproducts: {report.products}\norders: {report.orders}\n"
        f"prior lines: {report.prior_lines}\ntrain lines: {report.train_lines}\n"
    )


def _write_catalogue(folder: Path) -> int:
    """Write aisles, departments and products; return the number of products."""
    catalogue = fitted_catalogue()
    aisles, departments = facts()["aisles"], facts()["departments"]
    _write_rows(folder / "aisles.csv", ["aisle_id", "aisle"], [row[:2] for row in aisles])
    _write_rows(folder / "departments.csv", ["department_id", "department"], [row[:2] for row in departments])
    names = product_names(catalogue)
    order = np.argsort(catalogue.product_id)
    place = catalogue.aisle[order].tolist()
    rows = [
        [number, names[index], aisles[aisle][0], aisles[aisle][2]]
        for number, index, aisle in zip(catalogue.product_id[order].tolist(), order.tolist(), place, strict=True)
    ]
    _write_rows(folder / "products.csv", ["product_id", "product_name", "aisle_id", "department_id"], rows)
    return len(rows)


def _write_rows(path: Path, header: list[str], rows: list[list[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _chunks(tasks: list[Task], workers: int | None) -> Iterator[Written]:
    """Yield the chunks in order, made here where one process is enough."""
    # Starting a worker takes as long as a few chunks do.
    workers = min(workers or min(8, _cores(), len(tasks) // 4), len(tasks))
    if workers <= 1:
        yield from map(make_chunk, tasks)
        return
    # Spawn, not fork: the caller may hold threads of DuckDB or Arrow, which do not survive a fork.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=begin_worker) as pool:
        waiting = [pool.submit(make_chunk, task) for task in tasks[: 2 * workers]]
        for following in range(len(tasks)):
            written = waiting.pop(0).result()
            if following + 2 * workers < len(tasks):
                waiting.append(pool.submit(make_chunk, tasks[following + 2 * workers]))
            yield written
