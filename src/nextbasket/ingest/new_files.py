"""Find what a load has to do: files in landing that the ledger does not know, and mappings that changed."""

from collections.abc import Mapping, Sequence

from nextbasket.catalog.base import Catalog
from nextbasket.definitions.store import Definitions
from nextbasket.errors import InputError
from nextbasket.grocery.tables import ORDER_PRODUCTS, ORDERS
from nextbasket.ingest.content import LandedContent
from nextbasket.ingest.corrections import LandedFile, arrivals, that_count
from nextbasket.ingest.deliveries import landed_files, landing_tables, open_delivery
from nextbasket.ingest.load_attempt import Attempt, TableLoad
from nextbasket.ingest.mapping import SUMMARY, SourceFile, mapping_of, mapping_texts
from nextbasket.lake.base import FileRef
from nextbasket.query.workgroup import Workgroup

_LINES = ORDER_PRODUCTS.name


class Finder:
    """Looks at landing and mappings for all ``tables``; ``withdrawing``: orders changed and their lines not yet."""

    def __init__(
        self,
        attempt: Attempt,
        catalog: Catalog,
        workgroup: Workgroup,
        definitions: Definitions,
        tables: Mapping[str, TableLoad],
        *,
        withdrawing: bool,
    ) -> None:
        self._attempt = attempt
        self._workgroup = workgroup
        self._definitions = definitions
        self._tables = tables
        self._withdrawing = withdrawing
        self._content = LandedContent(attempt.lake, catalog)

    def find(self) -> None:
        """Find new files and changed mappings; raises InputError with all faults of all tables."""
        landed = landed_files(self._attempt.lake)
        texts = mapping_texts(self._definitions)
        faults: list[str] = []
        for name, table in self._tables.items():
            before = len(faults)
            if name in texts:
                table.mapped = True
                faults += self._find_mapping(table, texts[name], landed)
            else:
                faults += self._find_deliveries(table, landed)
            lacks = not table.new and not table.layout.optional and not self._attempt.shop.columns(name)
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
        table.arrivals = arrivals(files, self._attempt.shop.ledger(table.name))
        faults: list[str] = []
        deliveries = []
        for file in table.arrivals.new:
            delivery, wrong, notes = open_delivery(self._attempt.lake, table.layout, file.ref, file.sha256)
            faults += [f"{fault}; then delete {delivery.name} and land the corrected file" for fault in wrong]
            self._attempt.notes += notes
            deliveries.append(delivery)
        if deliveries and all(delivery.empty for delivery in deliveries) and not self._attempt.shop.columns(table.name):
            if table.layout.optional:
                return faults
            return [f"the table {table.name} is missing: {deliveries[0].name} is empty, without even a header"]
        table.deliveries = tuple(deliveries)
        return faults

    def _find_mapping(self, table: TableLoad, sql: str, landed: Mapping[str, Sequence[FileRef]]) -> list[str]:
        inputs = self._workgroup.inputs(sql)
        files = {
            name: [
                SourceFile(file.ref, file.sha256)
                for file in that_count([LandedFile(ref, self._content.sha256(ref)) for ref in refs])
            ]
            for name, refs in landed.items()
            if f"landing.{name}" in {key.lower() for key in inputs}
        }
        mapping = mapping_of(table.layout, sql, list(inputs), files)
        if self._attempt.shop.summary(table.name).get(SUMMARY) == mapping.fingerprint and not self._orders_change(
            table
        ):
            return []
        columns = self._attempt.engine.describe(mapping.sql, inputs).names
        self._attempt.notes += mapping.notes(columns)
        table.mapping = mapping
        return mapping.faults(columns)

    def _orders_change(self, table: TableLoad) -> bool:
        """Say whether mapped lines must be made anew since the orders they may belong to change."""
        return table.name == _LINES and (self._tables[ORDERS.name].new or self._withdrawing)
