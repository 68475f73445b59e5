"""Landing to typed tables: every line is checked and has one fate, and each table changes in one commit.

Everything is computed before the first commit. A load that is killed between two commits leaves files that are not in
the ledger yet: the next load takes those and ends with the tables of an undisturbed one.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from nextbasket.catalog.base import Catalog, CommitMode, DataFile, Scan
from nextbasket.definitions.store import Definitions
from nextbasket.errors import InputError, QueryError
from nextbasket.grocery.tables import LAYOUT, ORDER_PRODUCTS, ORDERS, LayoutTable
from nextbasket.ingest.checked import CheckedRows, Checker, Orders
from nextbasket.ingest.checks import DROPPED, FILE, PATH, checked, shop_columns
from nextbasket.ingest.content import LandedContent
from nextbasket.ingest.deliveries import Delivery, landed_files, landing_tables, open_delivery
from nextbasket.ingest.eval_set import DELIVERED, DERIVED, PROPERTY, with_derived
from nextbasket.ingest.fates import FileFates, LoadedTable, LoadReport, summary_of
from nextbasket.ingest.mapping import SUMMARY, SourceFile, mapping_of, mapping_texts
from nextbasket.ingest.mapping import Mapping as TableMapping
from nextbasket.ingest.quarantine import Quarantine
from nextbasket.ingest.records import LINE, REASON
from nextbasket.ingest.shop import DATABASE, PendingCommit, Shop, unbound
from nextbasket.ingest.staging import Counted, Staged, Stager
from nextbasket.lake.base import FileRef, Lake
from nextbasket.progress import Progress, silent
from nextbasket.query.workgroup import Workgroup

PRIOR = "order_products_prior"
"""The table of prior lines joined to their orders."""

_INPUTS = "nextbasket.inputs"
_LINES = ORDER_PRODUCTS.name
_REWRITTEN_ALONE = 64


class Loader:
    """Loads a home's landing. Text files from ``direct_from`` bytes on may be read by the engine in place."""

    def __init__(
        self,
        lake: Lake,
        catalog: Catalog,
        workgroup: Workgroup,
        definitions: Definitions,
        *,
        direct_from: int = 4 << 20,
    ) -> None:
        self._lake = lake
        self._catalog = catalog
        self._workgroup = workgroup
        self._definitions = definitions
        self._direct_from = direct_from

    def load(self, run_id: str, progress: Progress = silent) -> LoadReport:
        """Load what landing holds and the ledger does not know; does nothing when there is no such file.

        Raises InputError that lists every fault of every table before anything is committed.
        """
        while True:
            load = _Load(self._lake, self._catalog, self._workgroup, self._definitions, self._direct_from, run_id)
            try:
                return load.run(progress)
            except _IdsBecameTextError as change:
                # Raw files are kept, so tables whose ids change their type are loaded again from the first file on.
                for table in (*LAYOUT, PRIOR):
                    if change.columns & set(Shop(self._catalog).columns(table)):
                        progress(f"loading {table} again: {', '.join(sorted(change.columns))} is text now", None)
                        Shop(self._catalog).drop(table)
            finally:
                load.clean()


class _IdsBecameTextError(Exception):
    def __init__(self, columns: set[str]) -> None:
        super().__init__(columns)
        self.columns = columns


@dataclass
class _Table:
    """What one load knows about one table of the layout."""

    layout: LayoutTable
    deliveries: tuple[Delivery, ...] = ()
    mapping: TableMapping | None = None
    mapped: bool = False
    counted: tuple[Counted, ...] = ()
    rows: CheckedRows | None = None
    clean: Scan | None = None
    paths: bool = False
    fates: list[FileFates] = field(default_factory=list)

    @property
    def new(self) -> bool:
        return bool(self.deliveries) or self.mapping is not None


class _Load:
    def __init__(
        self,
        lake: Lake,
        catalog: Catalog,
        workgroup: Workgroup,
        definitions: Definitions,
        direct_from: int,
        run_id: str,
    ) -> None:
        self._lake = lake
        self._workgroup = workgroup
        self._engine = workgroup.engine
        self._definitions = definitions
        self._shop = Shop(catalog)
        self._content = LandedContent(lake, catalog)
        self._quarantine = Quarantine(lake, catalog)
        self._stager = Stager(lake, direct_from=direct_from)
        self._checker = Checker(self._engine)
        self._run_id = run_id
        self._tables = {name: _Table(layout) for name, layout in LAYOUT.items()}
        self._notes: list[str] = []
        self._temporary: list[str] = []
        self._pending: list[PendingCommit] = []
        self._eval_set: str | None = None

    def run(self, progress: Progress) -> LoadReport:
        self._find()
        if any(table.new for table in self._tables.values()):
            for position, table in enumerate(self._tables.values()):
                progress(f"checking {table.layout.name}", 0.1 + 0.1 * position)
                if table.layout.name != _LINES:
                    self._check(table, progress)
            progress("checking order_products", 0.3)
            ids = self._check_lines(self._tables[_LINES], progress)
            for position, table in enumerate(self._tables.values()):
                progress(f"writing {table.layout.name}", 0.6 + 0.05 * position)
                self._finish(table, ids)
            for pending in self._pending:
                progress(f"committing {pending.table}", None)
                self._shop.commit(pending, self._run_id)
        progress("writing order_products_prior", 0.85)
        prior_changed = self._make_prior()
        progress("loaded", 1.0)
        changed = {pending.table for pending in self._pending}
        loaded = [LoadedTable(f"{DATABASE}.{name}", self._shop.rows(name), name in changed) for name in self._tables]
        loaded.append(LoadedTable(f"{DATABASE}.{PRIOR}", self._shop.rows(PRIOR), prior_changed))
        fates = tuple(fate for table in self._tables.values() for fate in table.fates)
        eval_set = self._eval_set or self._shop.property(ORDERS.name, PROPERTY)
        return LoadReport(tuple(loaded), fates, tuple(self._notes), eval_set)

    def clean(self) -> None:
        """Remove what was staged and is part of no table."""
        for uri in self._temporary:
            zone, prefix = self._lake.locate(uri)
            for ref in list(self._lake.list(zone, f"{prefix}/")):
                self._lake.delete(ref)

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

    def _find_deliveries(self, table: _Table, landed: Mapping[str, Sequence[FileRef]]) -> list[str]:
        loaded = self._shop.loaded(table.layout.name)
        refs = [ref for source in landing_tables(table.layout) for ref in landed.get(source, ())]
        refs.sort(key=lambda ref: (ref.modified, ref.key))
        faults: list[str] = []
        deliveries = []
        for ref in refs:
            sha256 = self._content.sha256(ref)
            if sha256 in loaded:
                continue
            loaded.add(sha256)
            delivery, wrong, notes = open_delivery(self._lake, table.layout, ref, sha256)
            faults += [f"{fault}; then delete {delivery.name} and land the corrected file" for fault in wrong]
            self._notes += notes
            deliveries.append(delivery)
        if deliveries and all(delivery.empty for delivery in deliveries) and not self._shop.columns(table.layout.name):
            if table.layout.optional:
                return faults
            return [f"the table {table.layout.name} is missing: {deliveries[0].name} is empty, without even a header"]
        table.deliveries = tuple(deliveries)
        return faults

    def _find_mapping(self, table: _Table, sql: str, landed: Mapping[str, Sequence[FileRef]]) -> list[str]:
        inputs = self._workgroup.inputs(sql)
        files = {
            name: [SourceFile(ref, self._content.sha256(ref)) for ref in refs]
            for name, refs in landed.items()
            if f"landing.{name}" in {key.lower() for key in inputs}
        }
        mapping = mapping_of(table.layout, sql, list(inputs), files)
        if self._shop.summary(table.layout.name).get(SUMMARY) == mapping.fingerprint:
            return []
        columns = self._engine.describe(mapping.sql, inputs).names
        self._notes += mapping.notes(columns)
        table.mapping = mapping
        return mapping.faults(columns)

    # --- checking ------------------------------------------------------------------------------------------------

    def _folder(self) -> str:
        folder = self._lake.staging(self._run_id)
        self._temporary.append(folder)
        return folder

    def _check(self, table: _Table, progress: Progress, orders: Orders | None = None) -> None:
        if table.mapping is not None:
            table.rows = self._check_mapped(table, table.mapping, orders)
            return
        if not table.deliveries:
            return
        staged = self._stager.stage(table.layout, table.deliveries, self._folder(), progress)
        rows: CheckedRows | None = None
        try:
            rows = self._checker.write(staged, self._folder(), orders)
        except QueryError:
            if not staged.direct:
                raise
        if rows is None or (staged.direct and (rows.faulty or rows.duplicates or rows.total != staged.records)):
            # Only now do line numbers matter: cut every file into records.
            staged = self._stager.stage(table.layout, table.deliveries, self._folder(), progress, cut_all=True)
            rows = self._checker.write(staged, self._folder(), orders)
        self._check_total(table, rows.total, staged.records)
        table.counted, table.rows = staged.counted, rows

    def _check_total(self, table: _Table, read: int, records: int) -> None:
        if read != records:
            raise InputError(
                f"{table.layout.name}: {records:,} records were delivered and {read:,} read; this is a fault of "
                "nextbasket: nothing was loaded, please report it with the file."
            )

    def _check_mapped(self, table: _Table, mapping: TableMapping, orders: Orders | None) -> CheckedRows:
        inputs = self._workgroup.inputs(mapping.sql)
        statement = mapping.statement
        try:
            schema = self._engine.describe(statement, inputs)
            files = self._engine.write(statement, inputs, self._folder())
        except QueryError as error:
            raise InputError(f"{mapping.where} cannot be run: {error}") from error
        made = Scan(f"staged.{table.layout.name}_mapped", "parquet", tuple(files), schema)
        produced = sum(file.rows for file in files)
        paths: list[str] = []
        if table.layout.name == _LINES:
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
        return self._checker.write_rows(table.layout, [part], {made.table: made}, self._folder(), orders)

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
            counts.append(self._count(unbound(one), {one.table: one}))
        return counts

    def _count(self, rows: ir.Table, inputs: Mapping[str, Scan]) -> int:
        return int(self._checker.one(rows.aggregate(n=rows.count()), inputs)["n"])

    def _check_lines(self, table: _Table, progress: Progress) -> dict[str, str]:
        """Check the lines, which need to know the orders; returns the type of every id."""
        new_orders = self._tables[ORDERS.name].rows
        mapped = self._tables[ORDERS.name].mapped
        # A mapping returns all orders there are; deliveries add to those that are there.
        orders = Orders(None if mapped and new_orders is not None else self._shop.scan(ORDERS.name), new_orders)
        if not table.new:
            return self._decide_ids()
        if table.mapping is None:
            staged = self._stager.stage(table.layout, table.deliveries, self._folder(), progress)
            if staged.cut is None and staged.direct and all(direct.digits for direct in staged.direct):
                ids = self._decide_ids()
                if self._write_clean_lines(table, staged, ids, orders, progress):
                    table.counted = staged.counted
                    return ids
        self._check(table, progress, orders)
        return self._decide_ids()

    def _write_clean_lines(
        self, table: _Table, staged: Staged, ids: dict[str, str], orders: Orders, progress: Progress
    ) -> bool:
        """Write lines straight into their table's files where nothing is wrong with any of them; else say no.

        This is the way of a whole shop's files: they are read once, and checked as they stand in Parquet.
        """
        progress("writing order_products", 0.35)
        scan = self._shop.define(_LINES, shop_columns(table.layout, ids))
        wanted = {
            field.name: ibis.dtype(ibis.Schema.from_pyarrow(pa.schema([field.remove_metadata()]))[field.name])
            for field in scan.schema
        }
        parts = []
        for direct in staged.direct:
            rows = unbound(direct.scan)
            parts.append(
                rows.select(
                    **{
                        name: rows[name].cast(kind) if name in rows.columns else ibis.null(kind)
                        for name, kind in wanted.items()
                    }
                )
            )
        union = parts[0]
        for part in parts[1:]:
            union = union.union(part)
        folder = self._lake.staging(self._run_id)
        try:
            inputs = {direct.scan.table: direct.scan for direct in staged.direct}
            files = self._engine.write(union, inputs, folder, scan.schema)
        except QueryError:
            # A strict engine gives up at the first line that is not right: then the file is cut into records.
            self._temporary.append(folder)
            return False
        written = replace(scan, table="staged.order_products_clean", files=tuple(files))
        progress("checking order_products", 0.5)
        if sum(file.rows for file in files) == staged.records and self._lines_are_clean(written, scan, orders):
            table.clean = written
            return True
        self._temporary.append(folder)
        return False

    def _lines_are_clean(self, written: Scan, existing: Scan, orders: Orders) -> bool:
        inputs = {written.table: written}
        rows = unbound(written)
        faults = []
        for rule in ORDER_PRODUCTS.columns:
            column = rows[rule.name]
            if not rule.null:
                faults.append(column.isnull())
            if rule.minimum is not None and rule.maximum is not None:
                faults.append((column < int(rule.minimum)) | (column > int(rule.maximum)))
        count = sum(file.rows for file in written.files)
        found = self._checker.one(
            rows.aggregate(**{f"f{at}": fault.fill_null(False).sum() for at, fault in enumerate(faults)}), inputs
        )
        if any(found.values()):
            return False
        kind = "int64" if rows.order_id.type().is_integer() else "string"
        known = orders.ids(kind)
        unknown = rows.anti_join(known, rows.order_id == known.known_order)
        if self._count(unknown, {**inputs, **orders.inputs}):
            return False
        if existing.files:
            there = unbound(existing)
            again = rows.semi_join(there, list(ORDER_PRODUCTS.key))
            if self._count(again, {**inputs, existing.table: existing}):
                return False
        return not self._checker.has_duplicates(rows.select(*ORDER_PRODUCTS.key), inputs, count)

    def _decide_ids(self) -> dict[str, str]:
        """Return each id's type: BIGINT where all its values are integers, else text.

        What an order's id is, the orders say: a line with another one belongs to no order.
        """
        text: set[str] = set()
        for table in self._tables.values():
            if table.rows is not None:
                text |= table.rows.text_ids - ({"order_id"} if table.layout.name == _LINES else set())
        stored: dict[str, set[str]] = {}
        for name, table in self._tables.items():
            if table.mapped and table.new:
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
            if table.mapped and table.new:
                types = self._shop.columns(name)
                changed |= {column for column, kind in ids.items() if types.get(column, kind) != kind}
        if changed:
            raise _IdsBecameTextError(changed)
        return ids

    # --- writing -------------------------------------------------------------------------------------------------

    def _finish(self, table: _Table, ids: Mapping[str, str]) -> None:
        """Write a table's new version and count its lines' fates."""
        name = table.layout.name
        derive = name == ORDERS.name and self._decide_eval_set(table)
        if not table.new and not (derive and self._tables[_LINES].new and self._shop.columns(name)):
            return
        scan = self._shop.define(name, shop_columns(table.layout, ids))
        if name == ORDERS.name and self._eval_set is not None:
            self._shop.set_property(name, PROPERTY, self._eval_set)
        existing = replace(scan, files=()) if table.mapping is not None else scan
        if table.clean is not None:
            table.fates = [
                FileFates(
                    name, delivery.ref.key, delivery.sha256, counted.records, counted.records, blank=counted.blank
                )
                for delivery, counted in zip(table.deliveries, table.counted, strict=True)
            ]
            self._pending.append(
                PendingCommit(
                    name, CommitMode.APPEND, table.clean.files, scan.snapshot_id, summary=summary_of(table.fates)
                )
            )
            return
        touched = self._touched(table, existing)
        table.fates = self._count_fates(table, existing if touched else None)
        summary = summary_of(table.fates)
        if table.mapping is not None:
            summary = self._summary_of_mapping(table, table.mapping)
        elif SUMMARY in self._shop.summary(name):
            # The same rows of the same mapping, with another eval_set.
            summary[SUMMARY] = self._shop.summary(name)[SUMMARY]
        files: list[DataFile] = []
        rows, inputs = self._new_version(table, scan, existing if derive else replace(existing, files=touched))
        if derive:
            rows, inputs = self._derived(rows, inputs)
        if derive or (table.rows is not None and (table.rows.good or touched)):
            files = self._engine.write(rows, inputs, self._lake.staging(self._run_id), scan.schema)
        mode = CommitMode.APPEND
        if derive or table.mapping is not None:
            mode = CommitMode.OVERWRITE
        elif touched:
            mode = CommitMode.MERGE_BY_KEY
        replaces = tuple(file.uri for file in touched) if mode is CommitMode.MERGE_BY_KEY else ()
        self._pending.append(PendingCommit(name, mode, tuple(files), scan.snapshot_id, replaces, summary))

    def _summary_of_mapping(self, table: _Table, mapping: TableMapping) -> dict[str, str]:
        if table.layout.name == _LINES:
            return {**summary_of(table.fates), SUMMARY: mapping.fingerprint}
        # Its rows are made from many lines: they are counted as rows, and lines are accounted for by the other table.
        made = sum(fate.accepted for fate in table.fates)
        bad = sum(fate.quarantined for fate in table.fates)
        note = f"{table.layout.name}: {mapping.where} made {made:,} rows"
        kept = [fate.quarantine for fate in table.fates if fate.quarantine]
        self._notes.append(f"{note}; {bad:,} more are in quarantine/{kept[0]}" if kept else note)
        table.fates = []
        return {SUMMARY: mapping.fingerprint}

    def _typed(self, rows: ir.Table, schema: pa.Schema) -> ir.Table:
        kinds = ibis.Schema.from_pyarrow(pa.schema([field.remove_metadata() for field in schema]))
        return rows.select(**{name: rows[name].cast(kind) for name, kind in kinds.items()})

    def _touched(self, table: _Table, existing: Scan) -> tuple[DataFile, ...]:
        """Return the data files that hold a key which is delivered again."""
        if table.rows is None or not existing.files or not table.rows.good:
            return ()
        key = list(table.layout.key)
        new = self._typed(table.rows.good_rows(), existing.schema).select(*key)
        there = unbound(existing)
        inputs = {existing.table: existing, table.rows.scan.table: table.rows.scan}
        if not self._count(there.semi_join(new, key), inputs):
            return ()
        if len(existing.files) > _REWRITTEN_ALONE:
            return existing.files
        return tuple(
            file
            for file in existing.files
            if self._count(there.semi_join(new, key), {**inputs, existing.table: replace(existing, files=(file,))})
        )

    def _new_version(self, table: _Table, scan: Scan, existing: Scan) -> tuple[ir.Table, dict[str, Scan]]:
        """Return the rows of the new version's files: the kept ones of ``existing`` and the latest of the new ones."""
        there = self._typed(unbound(existing), scan.schema)
        inputs = {existing.table: existing}
        if table.rows is None:
            return there, inputs
        new = self._typed(table.rows.latest(), scan.schema)
        inputs[table.rows.scan.table] = table.rows.scan
        if not existing.files:
            return new, {table.rows.scan.table: table.rows.scan}
        kept = there.anti_join(new, list(table.layout.key))
        return kept.union(new), inputs

    def _derived(self, orders: ir.Table, inputs: Mapping[str, Scan]) -> tuple[ir.Table, dict[str, Scan]]:
        """Return orders with their eval_set derived from the lines that are known after this load."""
        lines = self._tables[_LINES]
        scans: list[ir.Table] = []
        read = dict(inputs)
        kind = orders.order_id.type()
        stored = self._shop.scan(_LINES)
        if stored is not None and not (lines.mapped and lines.new):
            scans.append(unbound(stored).select(order_id=ibis._.order_id.cast(kind)))
            read[stored.table] = stored
        if lines.clean is not None:
            scans.append(unbound(lines.clean).select(order_id=ibis._.order_id.cast(kind)))
            read[lines.clean.table] = lines.clean
        elif lines.rows is not None:
            scans.append(lines.rows.good_rows().select(order_id=ibis._.order_id.cast(kind)))
            read[lines.rows.scan.table] = lines.rows.scan
        known = scans[0]
        for scan in scans[1:]:
            known = known.union(scan)
        return with_derived(orders, known.distinct()), read

    def _decide_eval_set(self, orders: _Table) -> bool:
        """Decide whether this shop says which basket is predicted; returns whether it is derived."""
        stored = self._shop.property(ORDERS.name, PROPERTY)
        if not orders.new:
            return stored == DERIVED
        assert orders.rows is not None  # noqa: S101 - new files were checked before anything is written
        if not orders.rows.good:
            return False
        has_train = orders.rows.has_train or (stored == DELIVERED and not orders.mapped)
        complete = orders.rows.complete_sets and has_train
        if stored == DERIVED and not orders.mapped:
            complete = False
        self._eval_set = DELIVERED if complete else DERIVED
        if not complete and stored != DERIVED:
            self._notes.append("eval_set is derived: each shopper's latest order with lines is the one to predict")
        return not complete

    # --- fates ---------------------------------------------------------------------------------------------------

    def _count_fates(self, table: _Table, existing: Scan | None) -> list[FileFates]:
        if table.rows is None:
            return []
        rows = table.rows.rows()
        inputs = {table.rows.scan.table: table.rows.scan}
        files = self._file_names(table)
        found = self._count_good(table, table.rows, existing, len(files))
        faulty = rows.filter(rows[REASON].notnull())
        quarantined: dict[int, int] = {}
        if table.rows.faulty:
            bad = self._checker.table(faulty.group_by(FILE).aggregate(n=faulty.count()), inputs).to_pylist()
            quarantined = {row[FILE]: row["n"] for row in bad}
        dropped: dict[int, dict[str, int]] = {}
        if table.rows.dropped:
            left = rows.filter(rows[DROPPED].notnull())
            reasons = self._checker.table(left.group_by([FILE, DROPPED]).aggregate(n=left.count()), inputs).to_pylist()
            for row in sorted(reasons, key=lambda row: (-row["n"], row[DROPPED])):
                dropped.setdefault(row[FILE], {})[row[DROPPED]] = row["n"]
        kept: dict[int, str] = {}
        if quarantined:
            lines = faulty.select(FILE, LINE, REASON, "src_raw").order_by([FILE, LINE])
            kept = self._quarantine.write(table.layout.name, files, self._checker.batches(lines, inputs))
        fates = []
        for number, (key_, sha256) in files.items():
            accepted, good = found.get(number, (0, 0))
            counted = (
                table.counted[number] if number < len(table.counted) and len(files) == len(table.counted) else None
            )
            one = FileFates(
                table=table.layout.name,
                key=key_,
                sha256=sha256,
                accepted=accepted,
                merged=good - accepted,
                dropped=dropped.get(number, {}),
                quarantined=quarantined.get(number, 0),
                blank=counted.blank if counted is not None else 0,
                quarantine=kept.get(number),
            )
            records = counted.records if counted is not None else one.accounted
            if one.accounted != records:
                self._check_total(table, one.accounted, records)
            fates.append(replace(one, records=records))
        return fates

    def _count_good(
        self, table: _Table, rows: CheckedRows, existing: Scan | None, files: int
    ) -> dict[int, tuple[int, int]]:
        """Return (accepted, all good) lines by file number."""
        again = existing is not None and bool(existing.files)
        if files == 1 and not rows.duplicates and not again:
            return {0: (rows.good, rows.good)}
        inputs = {rows.scan.table: rows.scan}
        aged = rows.with_age()
        first = aged.src_age == 0
        if existing is not None and again:
            key = list(table.layout.key)
            typed = unbound(existing)
            there = typed.select(**{f"there_{name}": typed[name].cast("string") for name in key})
            joined = aged.left_join(there, [aged[name] == there[f"there_{name}"] for name in key])
            aged = joined.select(aged[FILE], fresh=first & joined[f"there_{key[0]}"].isnull())
            inputs[existing.table] = existing
        else:
            aged = aged.select(aged[FILE], fresh=first)
        good = aged.group_by(FILE).aggregate(accepted=aged.fresh.sum(), good=aged.count())
        return {row[FILE]: (row["accepted"], row["good"]) for row in self._checker.table(good, inputs).to_pylist()}

    def _file_names(self, table: _Table) -> dict[int, tuple[str, str]]:
        """Return (landing key, sha256) by file number; a mapping's rows that name no file share one entry."""
        if table.mapping is None:
            return {at: (delivery.ref.key, delivery.sha256) for at, delivery in enumerate(table.deliveries)}
        files = table.mapping.files
        if len(files) == 1:
            return {0: (files[0].ref.key, files[0].sha256)}
        if len(table.counted) == len(files) and table.paths:
            return {at: (file.ref.key, file.sha256) for at, file in enumerate(files)}
        return {0: ("+".join(f"{source}/" for source in table.mapping.sources), table.mapping.fingerprint)}

    # --- prior lines ---------------------------------------------------------------------------------------------

    def _make_prior(self) -> bool:
        """Write prior lines joined to their orders, unless they are made from the current versions of both."""
        orders, lines = self._shop.scan(ORDERS.name), self._shop.scan(_LINES)
        if orders is None or lines is None:
            return False
        made_from = json.dumps({"orders": orders.snapshot_id, "order_products": lines.snapshot_id})
        if self._shop.summary(PRIOR).get(_INPUTS) == made_from:
            return False
        of_orders = {field.name: field.type for field in orders.schema}
        ids = self._shop.columns(ORDERS.name) | self._shop.columns(_LINES)
        columns = shop_columns(ORDERS, ids) + tuple(
            column for column in shop_columns(ORDER_PRODUCTS, ids) if column.name not in of_orders
        )
        if self._shop.columns(PRIOR) and self._shop.columns(PRIOR) != {column.name: column.type for column in columns}:
            self._shop.drop(PRIOR)
        target = self._shop.define(PRIOR, columns)
        one, many = unbound(orders), unbound(lines)
        prior = one.filter(one.eval_set == "prior")
        joined = many.join(prior, "order_id")
        query = joined.select(*[joined[field.name] for field in target.schema])
        files = self._engine.write(
            query, {orders.table: orders, lines.table: lines}, self._lake.staging(self._run_id), target.schema
        )
        pending = PendingCommit(
            PRIOR, CommitMode.OVERWRITE, tuple(files), target.snapshot_id, summary={_INPUTS: made_from}
        )
        self._shop.commit(pending, self._run_id)
        return True
