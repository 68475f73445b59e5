"""Landing to typed tables: every line is checked and has one fate, and each table changes in one commit.

Everything is computed before the first commit. A load that is killed between two commits leaves files that are not in
the ledger yet: the next load takes those and ends with the tables of an undisturbed one. A load that finds another
one's commit computes again from there.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

import ibis.expr.types as ir
import pyarrow as pa

from nextbasket.catalog.base import Catalog, CommitMode, Scan
from nextbasket.definitions.store import Definitions
from nextbasket.errors import CommitConflictError, QueryError
from nextbasket.grocery.tables import LAYOUT, ORDER_PRODUCTS, ORDERS
from nextbasket.ingest.checked import Orders, is_integer
from nextbasket.ingest.checks import shop_columns
from nextbasket.ingest.clean_files import check_clean_orders, looks_clean
from nextbasket.ingest.eval_set import PROPERTY, EvalSets
from nextbasket.ingest.fate_counts import FateCounter, check_total
from nextbasket.ingest.fates import FileFates, LoadedTable, LoadReport, summary_of
from nextbasket.ingest.load_attempt import Attempt, TableLoad
from nextbasket.ingest.mapped_tables import check_mapped, summary_of_mapping
from nextbasket.ingest.mapping import SUMMARY
from nextbasket.ingest.new_files import Finder
from nextbasket.ingest.order_lines import LineChecks, renumbered
from nextbasket.ingest.prior_lines import PRIOR, PriorLines, TableChange
from nextbasket.ingest.quarantine import Quarantine
from nextbasket.ingest.shop import DATABASE, PendingCommit, Shop, unbound
from nextbasket.ingest.staging import Staged
from nextbasket.ingest.table_versions import Changes, Versions, typed
from nextbasket.ingest.unknown_references import notes_on_unknown
from nextbasket.ingest.waiting_lines import WAITING, Texts, WaitingLines, checked_file, in_order
from nextbasket.ingest.withdrawals import WITHDRAWN, Withdrawals
from nextbasket.lake.base import Lake
from nextbasket.progress import Progress, silent
from nextbasket.query.workgroup import Workgroup

_LINES = ORDER_PRODUCTS.name
_WITHDRAWING = "nextbasket.withdrawing"
"""The property of ``shop.orders`` that says that orders may be gone of which the lines are still there."""

_TRIES = 100


@dataclass
class _Done:
    """What the attempts of one load have committed so far."""

    fates: list[FileFates] = field(default_factory=list)
    tables: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


class Loader:
    """Loads a home's landing. Text files from ``direct_from`` bytes on may be read by the engine in place.

    ``turn`` is held while a load is at work: where loads wait for each other, none is computed in vain. Without it
    they are as safe, since a load that another one overtook computes again.
    """

    def __init__(
        self,
        lake: Lake,
        catalog: Catalog,
        workgroup: Workgroup,
        definitions: Definitions,
        *,
        direct_from: int = 1 << 20,
        turn: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._lake = lake
        self._catalog = catalog
        self._workgroup = workgroup
        self._definitions = definitions
        self._direct_from = direct_from
        self._turn = turn

    def load(self, run_id: str, progress: Progress = silent) -> LoadReport:
        """Load what landing holds and the ledger does not know; does nothing when there is no such file.

        Raises InputError that lists every fault of every table before anything is committed.
        """
        with self._turn():
            return self._load(run_id, progress)

    def _load(self, run_id: str, progress: Progress) -> LoadReport:
        done = _Done()
        conflicts = 0
        while True:
            attempt = Attempt(self._lake, self._catalog, self._workgroup.engine, self._direct_from, run_id)
            load = _Load(attempt, self._catalog, self._workgroup, self._definitions, done)
            try:
                return load.run(progress)
            except _IdsBecameTextError as change:
                # Raw files are kept, so tables whose ids change their type are loaded again from the first file on.
                for table in (*LAYOUT, PRIOR):
                    if change.columns & set(Shop(self._catalog).columns(table)):
                        progress(f"loading {table} again: {', '.join(sorted(change.columns))} is text now", None)
                        Shop(self._catalog).drop(table)
            except CommitConflictError:
                conflicts += 1
                if conflicts == _TRIES:
                    raise
                done.notes += attempt.notes
                progress("another load committed first: computing again", None)
            finally:
                attempt.clean()


class _IdsBecameTextError(Exception):
    def __init__(self, columns: set[str]) -> None:
        super().__init__(columns)
        self.columns = columns


class _Load:
    def __init__(
        self, attempt: Attempt, catalog: Catalog, workgroup: Workgroup, definitions: Definitions, done: _Done
    ) -> None:
        self._attempt = attempt
        self._shop = attempt.shop
        self._engine = attempt.engine
        self._checker = attempt.checker
        self._lake = attempt.lake
        self._workgroup = workgroup
        self._definitions = definitions
        self._done = done
        self._catalog = catalog
        self._fates = FateCounter(attempt, Quarantine(attempt.lake, catalog))
        self._waiting = WaitingLines(attempt.lake, catalog)
        self._withdrawals = Withdrawals(attempt)
        self._versions = Versions(attempt)
        self._tables = {name: TableLoad(layout) for name, layout in LAYOUT.items()}
        self._eval_sets = EvalSets(attempt, self._tables[ORDERS.name], self._tables[_LINES])
        self._waited: dict[int, int] = {}
        self._waits_now: pa.Table | None = None
        self._pending: list[PendingCommit] = []
        self._changes: dict[str, TableChange] = {}
        self._withdrawing = self._shop.property(ORDERS.name, _WITHDRAWING) == "yes"

    def run(self, progress: Progress) -> LoadReport:
        Finder(
            self._attempt,
            self._catalog,
            self._workgroup,
            self._definitions,
            self._tables,
            withdrawing=self._withdrawing,
        ).find()
        if any(table.new for table in self._tables.values()) or self._waiting.key or self._withdrawing:
            for position, table in enumerate(self._tables.values()):
                progress(f"checking {table.name}", 0.1 + 0.1 * position)
                if table.name != _LINES:
                    self._check(table, progress)
                    self._withdraw(table)
            progress("checking order_products", 0.3)
            ids = self._check_lines(self._tables[_LINES], progress)
            self._attempt.notes += notes_on_unknown(self._attempt, self._tables)
            for position, table in enumerate(self._tables.values()):
                progress(f"writing {table.name}", 0.6 + 0.05 * position)
                self._finish(table, ids)
            self._commit(progress)
        progress("writing order_products_prior", 0.85)
        if PriorLines(self._attempt).bring_up(self._changes):
            self._done.tables.add(PRIOR)
        self._waiting.show()
        progress("loaded", 1.0)
        loaded = [
            LoadedTable(f"{DATABASE}.{name}", self._shop.rows(name), name in self._done.tables)
            for name in (*self._tables, PRIOR)
        ]
        eval_set = self._eval_sets.decided or self._eval_sets.stored
        notes = tuple(dict.fromkeys([*self._done.notes, *self._attempt.notes]))
        return LoadReport(tuple(loaded), tuple(self._done.fates), notes, eval_set)

    # --- checking ------------------------------------------------------------------------------------------------

    def _check(
        self, table: TableLoad, progress: Progress, orders: Orders | None = None, staged: Staged | None = None
    ) -> None:
        if table.mapping is not None:
            table.rows = check_mapped(self._attempt, self._workgroup, table, table.mapping, orders)
            return
        if not table.deliveries:
            return
        attempt = self._attempt
        left_out = {number: f"corrected by landing/{key}" for number, key in (table.arrivals.replaced or {}).items()}
        staged = staged or attempt.stager.stage(table.layout, table.deliveries, attempt.temporary(), progress)
        if table.name == ORDERS.name and not left_out and check_clean_orders(attempt, table, staged):
            return
        rows = None
        try:
            rows = self._checker.write(staged, attempt.temporary(), orders, left_out=left_out)
        except QueryError:
            if not staged.direct:
                raise
        if rows is None or (staged.direct and (rows.faulty or rows.duplicates or rows.total != staged.records)):
            # Only now do line numbers matter: cut every file into records.
            staged = attempt.stager.stage(table.layout, table.deliveries, attempt.temporary(), progress, cut_all=True)
            rows = self._checker.write(staged, attempt.temporary(), orders, left_out=left_out)
        check_total(table, rows.total, staged.records)
        table.counted, table.rows = staged.counted, rows

    def _withdraw(self, table: TableLoad) -> None:
        """Find what corrected files take back, and add what other files say of the same keys."""
        if table.mapping is not None or table.rows is None:
            return
        table.removed = self._withdrawals.removed(table)
        if table.removed is None:
            return
        reread = self._withdrawals.reread(table, table.removed)
        if reread is not None:
            rows = renumbered(self._attempt, table, reread)
            if rows.num_rows:
                file = checked_file(self._attempt.lake, rows, f"{self._attempt.temporary()}/again.parquet")
                table.rows = self._checker.counted(table.layout, (*table.rows.scan.files, file))

    def _check_lines(self, table: TableLoad, progress: Progress) -> dict[str, str]:
        """Check the lines, which need to know the orders; returns the type of every id."""
        orders = self._tables[ORDERS.name]
        # A mapping returns all orders there are; deliveries add to those that are there.
        stored = None if orders.mapping is not None else self._shop.scan(ORDERS.name)
        known = Orders(stored, orders.rows, orders.removed)
        checks = LineChecks(self._attempt, self._waiting, known)
        gone = orders.removed is not None or self._withdrawing
        if table.mapping is not None:
            self._check(table, progress, known)
            return self._decide_ids()
        plain = not (table.arrivals.former or table.arrivals.replaced or self._waiting.key or gone)
        staged: Staged | None = None
        if table.deliveries and plain:
            staged = self._attempt.stager.stage(table.layout, table.deliveries, self._attempt.temporary(), progress)
            if looks_clean(staged):
                ids = self._decide_ids()
                progress("writing order_products", 0.35)
                if checks.take_clean(table, staged, ids):
                    return ids
        if table.deliveries:
            self._check(table, progress, known, staged)
        table.removed = self._removed_lines(table, known, gone=gone)
        reread = self._withdrawals.reread(table, table.removed, known) if table.removed is not None else None
        self._waits_now, self._waited = checks.take_up(table, reread, self._values(table.removed))
        return self._decide_ids()

    def _removed_lines(self, table: TableLoad, known: Orders, *, gone: bool) -> Scan | None:
        """Return the orders whose lines are worked out anew: of corrected files' lines, and orders that are gone."""
        stored = self._shop.scan(_LINES)
        own = self._withdrawals.removed(table)
        if stored is None or not stored.files or not (gone or own is not None):
            return None
        if table.arrivals.lost and gone:
            self._attempt.notes.append(
                f"lines of orders that are gone stay, since landing/{table.arrivals.lost[0]}, loaded earlier, is no "
                "longer there to be looked up"
            )
            return None
        parts: list[tuple[ir.Table, dict[str, Scan]]] = []
        removed_orders = self._tables[ORDERS.name].removed
        for scan in (own, removed_orders):
            if scan is not None:
                scan = replace(scan, table=f"staged.gone_{len(parts)}")
                parts.append((unbound(scan), {scan.table: scan}))
        if self._withdrawing:
            parts.append((self._withdrawals.dangling(stored, known), {stored.table: stored, **known.inputs}))
        return self._withdrawals.values(table, parts, stored)

    def _values(self, removed: Scan | None) -> Texts:
        if removed is None:
            return pa.array([], pa.string())
        return self._checker.table(unbound(removed), {removed.table: removed}).column(0).combine_chunks()

    def _decide_ids(self) -> dict[str, str]:
        """Return each id's type: BIGINT where all its values are integers, else text.

        What an order's id is, the orders say: a line with another one belongs to no order.
        """
        text: set[str] = set()
        for table in self._tables.values():
            if table.rows is not None:
                text |= table.rows.text_ids - ({"order_id"} if table.name == _LINES else set())
        stored: dict[str, set[str]] = {}
        for name, table in self._tables.items():
            if table.mapping is not None:
                continue
            for column, kind in self._shop.columns(name).items():
                stored.setdefault(column, set()).add(kind)
        ids = {}
        changed = set()
        for table in self._tables.values():
            for rule in table.layout.columns:
                if rule.kind != "id":
                    continue
                kinds = stored.get(rule.name, set())
                ids[rule.name] = "string" if rule.name in text or "string" in kinds else "bigint"
                if ids[rule.name] == "string" and "bigint" in kinds:
                    changed.add(rule.name)
        for name, table in self._tables.items():
            # A mapped table is written anew, but its definition cannot change its types.
            if table.mapping is not None:
                types = self._shop.columns(name)
                changed |= {column for column, kind in ids.items() if types.get(column, kind) != kind}
        if changed:
            raise _IdsBecameTextError(changed)
        self._note_text_ids({column for column, kinds in stored.items() if "string" in kinds})
        return ids

    def _note_text_ids(self, known: set[str]) -> None:
        """Say which value made an id text, where that is new."""
        for table in self._tables.values():
            if table.rows is None:
                continue
            for column in sorted(table.rows.text_ids - known - ({"order_id"} if table.name == _LINES else set())):
                good = table.rows.good_rows()
                values = good.filter(good[column].notnull() & ~is_integer(good[column]))
                found = self._checker.table(
                    values.aggregate(least=values[column].min()), {table.rows.scan.table: table.rows.scan}
                )
                value = found.column(0)[0].as_py()
                self._attempt.notes.append(
                    f"{column} is text in all tables: {table.name} has '{value}', which is no plain whole number"
                )

    # --- writing -------------------------------------------------------------------------------------------------

    def _finish(self, table: TableLoad, ids: Mapping[str, str]) -> None:
        """Write a table's new version and count its lines' fates."""
        name = table.name
        derive = name == ORDERS.name and self._eval_sets.decide()
        if not table.new and not (derive and self._shop.columns(name)):
            return
        scan = self._shop.define(name, shop_columns(table.layout, ids))
        if table.clean is not None and not derive:
            table.fates = self._fates.clean(table)
            summary = summary_of(table.fates)
            if name == ORDERS.name:
                summary[PROPERTY] = self._eval_sets.decided or ""
            if name == _LINES:
                summary[WAITING] = ""
            self._append(name, scan, table.clean, summary)
            return
        existing = replace(scan, files=()) if table.mapping is not None else scan
        whole = table.mapping is not None
        if derive:
            derived = self._eval_sets.derived(existing)
            whole = whole or derived.whole
            changes = self._versions.changes(
                existing, table.layout.key, derived.rows, derived.inputs, table.removed, whole=whole
            )
        elif table.rows is not None:
            rows, inputs = typed(table.rows.latest(), scan.schema), {table.rows.scan.table: table.rows.scan}
            changes = self._versions.changes(existing, table.layout.key, rows, inputs, table.removed, whole=whole)
        else:
            changes = self._versions.only_removed(existing, table.layout.key, table.removed)
        self._fix(table, scan, existing, changes, whole=whole)

    def _fix(self, table: TableLoad, scan: Scan, existing: Scan, changes: Changes, *, whole: bool) -> None:
        """Make the commit of a table's changes, with its files' fates."""
        name, key = table.name, table.layout.key
        there = existing if whole else replace(existing, files=changes.touched)
        if table.clean is not None:
            # Their eval_set was still to be derived.
            self._attempt.discard(table.clean_folder)
            table.fates = self._fates.clean(table)
        else:
            table.fates = self._fates.count(table, there, self._waited if name == _LINES else {})
        summary = summary_of(table.fates)
        if table.mapping is not None:
            summary = summary_of_mapping(self._attempt, table, table.mapping)
        elif SUMMARY in self._shop.summary(name):
            # The same rows of the same mapping, with another eval_set.
            summary[SUMMARY] = self._shop.summary(name)[SUMMARY]
        if name == _LINES:
            summary[WAITING] = self._write_waiting()
        if name == ORDERS.name:
            summary[PROPERTY] = self._eval_sets.decided or self._eval_sets.stored or ""
        if whole:
            pending = PendingCommit(name, CommitMode.OVERWRITE, changes.rows.files, scan.snapshot_id, (), summary)
            self._changes[name] = TableChange(scan, None)
        else:
            mode, files, replaces = self._versions.files(existing, key, changes)
            pending = PendingCommit(name, mode, tuple(files), scan.snapshot_id, tuple(replaces), summary)
            if table.removed is not None:
                summary[WITHDRAWN] = str(self._withdrawn(table, existing, pending))
            self._changes[name] = TableChange(scan, None, changes.rows, table.removed)
        self._pending.append(pending)

    def _append(self, name: str, scan: Scan, rows: Scan, summary: dict[str, str]) -> None:
        self._pending.append(PendingCommit(name, CommitMode.APPEND, rows.files, scan.snapshot_id, (), summary))
        self._changes[name] = TableChange(scan, None, rows, None)

    def _write_waiting(self) -> str:
        if self._waits_now is None:
            return self._waiting.key
        lines = in_order(self._waits_now)
        unchanged = lines.equals(in_order(self._waiting.read()))
        return self._waiting.key if unchanged else self._waiting.write(lines)

    def _withdrawn(self, table: TableLoad, existing: Scan, pending: PendingCommit) -> int:
        """Count the rows that leave a table beyond what its files' fates say, and note them."""
        left = set(pending.replaces)
        before = sum(file.rows for file in existing.files if file.uri in left)
        gone = before + sum(fate.accepted for fate in table.fates) - sum(file.rows for file in pending.files)
        if gone:
            self._attempt.notes.append(f"{table.name}: {gone:,} rows left it that corrected files no longer have")
        return gone

    def _commit(self, progress: Progress) -> None:
        orders, lines = self._tables[ORDERS.name], self._tables[_LINES]
        if orders.removed is not None or (orders.new and lines.mapping is not None):
            self._shop.set_property(ORDERS.name, _WITHDRAWING, "yes")
        if self._eval_sets.decided is not None:
            # For people to see: what counts is the summary of the commit.
            self._shop.set_property(ORDERS.name, PROPERTY, self._eval_sets.decided)
        for pending in self._pending:
            progress(f"committing {pending.table}", None)
            snapshot = self._shop.commit(pending, self._attempt.run_id)
            self._done.tables.add(pending.table)
            self._done.fates += self._tables[pending.table].fates
            self._changes[pending.table] = replace(self._changes[pending.table], after=snapshot.id)
        if self._shop.property(ORDERS.name, _WITHDRAWING) == "yes":
            self._shop.set_property(ORDERS.name, _WITHDRAWING, "no")
