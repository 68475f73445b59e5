"""Landing to typed tables: every line is checked and has one fate, and each table changes in one commit.

Everything is computed before the first commit. A load that is killed between two commits leaves files that are not in
the ledger yet: the next load takes those and ends with the tables of an undisturbed one. A load that finds another
one's commit computes again from there.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

import ibis.expr.types as ir
import pyarrow as pa

from nextbasket.catalog.base import Catalog, CommitMode, Scan
from nextbasket.definitions.store import Definitions
from nextbasket.errors import CommitConflictError, InputError, QueryError
from nextbasket.grocery.tables import LAYOUT, ORDER_PRODUCTS, ORDERS
from nextbasket.ingest.attempt import Attempt, TableLoad
from nextbasket.ingest.checked import CheckedRows, Orders, is_integer
from nextbasket.ingest.checks import PATH, checked, shop_columns
from nextbasket.ingest.content import LandedContent
from nextbasket.ingest.corrections import LandedFile, arrivals
from nextbasket.ingest.counting import FateCounter, check_total
from nextbasket.ingest.deliveries import landed_files, landing_tables, open_delivery
from nextbasket.ingest.eval_set import PROPERTY, EvalSets
from nextbasket.ingest.fates import FileFates, LoadedTable, LoadReport, summary_of
from nextbasket.ingest.lines import LineChecks, renumbered
from nextbasket.ingest.mapping import SUMMARY, SourceFile, mapping_of, mapping_texts
from nextbasket.ingest.mapping import Mapping as TableMapping
from nextbasket.ingest.prior import PRIOR, PriorLines, TableChange
from nextbasket.ingest.quarantine import Quarantine
from nextbasket.ingest.shop import DATABASE, PendingCommit, Shop, unbound
from nextbasket.ingest.staging import Counted
from nextbasket.ingest.versions import Changes, Versions, typed
from nextbasket.ingest.waiting import WAITING, Texts, WaitingLines, checked_file, in_order
from nextbasket.ingest.withdrawals import WITHDRAWN, Withdrawals
from nextbasket.lake.base import FileRef, Lake
from nextbasket.progress import Progress, silent
from nextbasket.query.workgroup import Workgroup

_LINES = ORDER_PRODUCTS.name
_WITHDRAWING = "nextbasket.withdrawing"
"""The property of ``shop.orders`` that says that orders were taken out and their lines perhaps not yet."""

_TRIES = 100


@dataclass
class _Done:
    """What the attempts of one load have committed so far."""

    fates: list[FileFates] = field(default_factory=list)
    tables: set[str] = field(default_factory=set)


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
        direct_from: int = 4 << 20,
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
        self._content = LandedContent(attempt.lake, catalog)
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
        self._find()
        if any(table.new for table in self._tables.values()) or self._waiting.key or self._withdrawing:
            for position, table in enumerate(self._tables.values()):
                progress(f"checking {table.name}", 0.1 + 0.1 * position)
                if table.name != _LINES:
                    self._check(table, progress)
                    self._withdraw(table)
            progress("checking order_products", 0.3)
            ids = self._check_lines(self._tables[_LINES], progress)
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
        notes = tuple(dict.fromkeys(self._attempt.notes))
        return LoadReport(tuple(loaded), tuple(self._done.fates), notes, eval_set)

    # --- finding what is new -------------------------------------------------------------------------------------

    def _find(self) -> None:
        """Find new files and changed mappings; raises InputError with all faults of all tables."""
        landed = landed_files(self._lake)
        texts = mapping_texts(self._definitions)
        faults: list[str] = []
        for name, table in self._tables.items():
            before = len(faults)
            if name in texts:
                table.mapped = True
                faults += self._find_mapping(table, texts[name], landed)
            else:
                faults += self._find_deliveries(table, landed)
            lacks = not table.new and not table.layout.optional and not self._shop.columns(name)
            if lacks and len(faults) == before:
                where = " or ".join(f"landing/{source}/" for source in landing_tables(table.layout))
                faults.append(
                    f"the table {name} is missing: land {name}.csv (there is no file in {where}), "
                    f"or map your own files in definitions/mappings/{name}.sql"
                )
        self._content.save()
        if faults:
            raise InputError("\n".join(f"{fault}." for fault in faults))

    def _find_deliveries(self, table: TableLoad, landed: Mapping[str, Sequence[FileRef]]) -> list[str]:
        refs = [ref for source in landing_tables(table.layout) for ref in landed.get(source, ())]
        files = [LandedFile(ref, self._content.sha256(ref)) for ref in refs]
        table.arrivals = arrivals(files, self._shop.ledger(table.name))
        faults: list[str] = []
        deliveries = []
        for file in table.arrivals.new:
            delivery, wrong, notes = open_delivery(self._lake, table.layout, file.ref, file.sha256)
            faults += [f"{fault}; then delete {delivery.name} and land the corrected file" for fault in wrong]
            self._attempt.notes += notes
            deliveries.append(delivery)
        if deliveries and all(delivery.empty for delivery in deliveries) and not self._shop.columns(table.name):
            if table.layout.optional:
                return faults
            return [f"the table {table.name} is missing: {deliveries[0].name} is empty, without even a header"]
        table.deliveries = tuple(deliveries)
        return faults

    def _find_mapping(self, table: TableLoad, sql: str, landed: Mapping[str, Sequence[FileRef]]) -> list[str]:
        inputs = self._workgroup.inputs(sql)
        files = {
            name: [SourceFile(ref, self._content.sha256(ref)) for ref in refs]
            for name, refs in landed.items()
            if f"landing.{name}" in {key.lower() for key in inputs}
        }
        mapping = mapping_of(table.layout, sql, list(inputs), files)
        if self._shop.summary(table.name).get(SUMMARY) == mapping.fingerprint and not self._orders_change(table):
            return []
        columns = self._engine.describe(mapping.sql, inputs).names
        self._attempt.notes += mapping.notes(columns)
        table.mapping = mapping
        return mapping.faults(columns)

    def _orders_change(self, table: TableLoad) -> bool:
        """Say whether mapped lines must be made anew since the orders they may belong to change."""
        return table.name == _LINES and (self._tables[ORDERS.name].new or self._withdrawing)

    # --- checking ------------------------------------------------------------------------------------------------

    def _check(self, table: TableLoad, progress: Progress, orders: Orders | None = None) -> None:
        if table.mapping is not None:
            table.rows = self._check_mapped(table, table.mapping, orders)
            return
        if not table.deliveries:
            return
        attempt = self._attempt
        left_out = {number: f"corrected by landing/{key}" for number, key in (table.arrivals.replaced or {}).items()}
        staged = attempt.stager.stage(table.layout, table.deliveries, attempt.temporary(), progress)
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

    def _check_mapped(self, table: TableLoad, mapping: TableMapping, orders: Orders | None) -> CheckedRows:
        inputs = self._workgroup.inputs(mapping.sql)
        statement = mapping.statement
        try:
            schema = self._engine.describe(statement, inputs)
            files = self._engine.write(statement, inputs, self._attempt.temporary())
        except QueryError as error:
            raise InputError(f"{mapping.where} cannot be run: {error}") from error
        made = Scan(f"staged.{table.name}_mapped", "parquet", tuple(files), schema)
        produced = sum(file.rows for file in files)
        paths: list[str] = []
        if table.name == _LINES:
            delivered = self._source_rows(mapping, inputs)
            if produced != sum(delivered):
                raise InputError(
                    f"{mapping.where} returns {produced:,} rows for the {sum(delivered):,} rows of its source: it must "
                    "return one row for each, with a dropped_reason where a line is left out."
                )
            if PATH in schema.names:
                paths = [file.ref.uri for file in mapping.files]
                table.paths = True
            table.counted = tuple(Counted(count) for count in delivered)
        part = checked(table.layout, made, files=paths)
        return self._checker.write_rows(table.layout, [part], {made.table: made}, self._attempt.temporary(), orders)

    def _source_rows(self, mapping: TableMapping, inputs: Mapping[str, Scan]) -> list[int]:
        """Count the rows of each file that the mapping of lines reads."""
        if len(mapping.sources) != 1:
            raise InputError(
                f"{mapping.where} reads {', '.join(mapping.sources)}: to account for lines it must read one table."
            )
        (scan,) = inputs.values()
        counts = []
        for file in mapping.files:
            one = replace(scan, files=tuple(found for found in scan.files if found.uri == file.ref.uri))
            counts.append(self._attempt.count(unbound(one), {one.table: one}))
        return counts

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
        if table.deliveries and plain:
            staged = self._attempt.stager.stage(table.layout, table.deliveries, self._attempt.temporary(), progress)
            if staged.cut is None and staged.direct and all(direct.digits for direct in staged.direct):
                ids = self._decide_ids()
                progress("writing order_products", 0.35)
                if checks.write_clean(table, staged, ids):
                    table.counted = staged.counted
                    return ids
        if table.deliveries:
            self._check(table, progress, known)
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
        if table.clean is not None:
            table.fates = self._fates.clean(table)
            self._append(name, scan, table.clean, summary_of(table.fates))
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
        table.fates = self._fates.count(table, there, self._waited if name == _LINES else {})
        summary = summary_of(table.fates)
        if table.mapping is not None:
            summary = self._summary_of_mapping(table, table.mapping)
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

    def _summary_of_mapping(self, table: TableLoad, mapping: TableMapping) -> dict[str, str]:
        if table.name == _LINES:
            return {**summary_of(table.fates), SUMMARY: mapping.fingerprint}
        # Its rows are made from many lines: they are counted as rows, and lines are accounted for by the other table.
        made = sum(fate.accepted for fate in table.fates)
        bad = sum(fate.quarantined for fate in table.fates)
        note = f"{table.name}: {mapping.where} made {made:,} rows"
        kept = [fate.quarantine for fate in table.fates if fate.quarantine]
        self._attempt.notes.append(f"{note}; {bad:,} more are in quarantine/{kept[0]}" if kept else note)
        table.fates = []
        return {SUMMARY: mapping.fingerprint}

    def _commit(self, progress: Progress) -> None:
        if self._tables[ORDERS.name].removed is not None:
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
