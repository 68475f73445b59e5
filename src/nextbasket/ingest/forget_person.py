"""A person to forget: which orders are theirs, and by which values a landed file's lines are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from nextbasket.catalog.base import Catalog, FileForm
from nextbasket.definitions.store import Definitions
from nextbasket.errors import InputError, NotFoundError, QueryError
from nextbasket.grocery.tables import ORDER_PRODUCTS, ORDERS
from nextbasket.ingest.forget_files import Marks, find, matching
from nextbasket.ingest.mapping import mapping_texts
from nextbasket.ingest.naming import table_name
from nextbasket.ingest.origins import Origin, origin_of
from nextbasket.ingest.sources import is_data
from nextbasket.lake.base import FileRef, Lake, Zone
from nextbasket.query.workgroup import Workgroup

SHOPPER, ORDER = "user_id", "order_id"


@dataclass(frozen=True, slots=True)
class Person:
    """A shopper's id and the ids of their orders, as texts."""

    shopper: str
    orders: frozenset[str] = frozenset()

    @property
    def marks(self) -> Marks:
        """What makes a record theirs wherever the layout's names stand."""
        return {SHOPPER: frozenset({self.shopper}), ORDER: self.orders}


@dataclass(frozen=True, slots=True)
class Search:
    """Where a person was found; ``seen`` says whether anywhere at all, ``unsearched`` which files cannot be read."""

    person: Person
    seen: bool
    unsearched: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LandingMarks:
    """What makes a line theirs in each landing table; ``unclear`` says which mappings do not tell.

    ``seen``: a mapping makes the shopper's id from some line of its source.
    """

    everywhere: Marks
    mapped: Mapping[str, Marks]
    origins: tuple[tuple[Origin, frozenset[str]], ...] = ()
    unclear: tuple[str, ...] = ()
    seen: bool = False
    forms: Mapping[str, FileForm] = field(default_factory=dict)

    def written(self, ref: FileRef) -> FileForm | None:
        """Return how a mapped source's file is written, as the crawled table knows; None for a table of the layout."""
        return self.forms.get(ref.uri)

    def of(self, ref: FileRef) -> Marks:
        """Return the marks of a landed file."""
        marks = dict(self.everywhere)
        for column, values in self.mapped.get(table_name(ref.key.partition("/")[0]), {}).items():
            marks[column] = marks.get(column, frozenset()) | values
        return marks


class Finder:
    """Looks for a person in the warehouse and in landing."""

    def __init__(self, lake: Lake, catalog: Catalog, workgroup: Workgroup, definitions: Definitions) -> None:
        self._lake = lake
        self._catalog = catalog
        self._workgroup = workgroup
        self._definitions = definitions

    def search(self, shopper: str, known: Iterable[str]) -> Search:
        """Find a shopper's orders in every data file of the warehouse, of any version, and in every landed file.

        An order that now is another shopper's is not theirs, whatever an earlier line said.
        """
        marks = {SHOPPER: frozenset({shopper})}
        orders = set(known)
        seen = False
        unsearched: dict[str, str] = {}
        refs = [ref for ref in self._lake.list(Zone.WAREHOUSE) if ref.key.endswith(".parquet")]
        refs += [ref for ref in self._lake.list(Zone.LANDING) if is_data(ref.key)]
        for ref in refs:
            try:
                found = find(self._lake, ref, marks, [ORDER])
            except InputError as error:
                unsearched[f"{ref.zone}/{ref.key}"] = str(error)
                continue
            if found is not None and found.count:
                seen = True
                orders |= {one for one in found.records.column(ORDER).to_pylist() if one}
        person = Person(shopper, frozenset(orders - self._others(shopper, orders)))
        return Search(person, seen, unsearched)

    def _others(self, shopper: str, orders: Iterable[str]) -> set[str]:
        """Return those of the orders that now are another shopper's."""
        try:
            scan = self._catalog.scan(f"shop.{ORDERS.name}")
        except NotFoundError:
            return set()
        owned: set[str] = set()
        for file in scan.files:
            found = find(self._lake, ref_of(self._lake, file.uri), {ORDER: frozenset(orders)}, [SHOPPER])
            rows = found.records.to_pylist() if found is not None else []
            owned |= {row[ORDER] for row in rows if row[SHOPPER] != shopper}
        return owned

    def landing_marks(self, person: Person) -> LandingMarks:
        """Return the marks of all landing tables: the layout's names, and what the shop's mappings make of others."""
        mapped: dict[str, dict[str, frozenset[str]]] = {}
        origins: list[tuple[Origin, frozenset[str]]] = []
        unclear: list[str] = []
        seen = False
        texts = mapping_texts(self._definitions)
        wanted = [(ORDERS.name, SHOPPER), (ORDERS.name, ORDER), (ORDER_PRODUCTS.name, ORDER)]
        for table, column in wanted:
            if table not in texts:
                continue
            where = f"definitions/mappings/{table}.sql"
            origin = origin_of(texts[table], column)
            if origin is None:
                unclear.append(f"{where} makes {column} from several columns: what it reads was not searched by it")
                continue
            values = person.marks[column]
            origins.append((origin, values))
            try:
                given = self.values(origin, values)
            except (QueryError, NotFoundError, InputError) as error:
                unclear.append(f"{where}: its source cannot be read ({error})")
                continue
            marks = mapped.setdefault(origin.table, {})
            marks[origin.column] = marks.get(origin.column, frozenset()) | given
            seen = seen or (column == SHOPPER and bool(given))
        forms = {uri: form for table in mapped for uri, form in self._forms(table).items()}
        return LandingMarks(person.marks, mapped, tuple(origins), tuple(unclear), seen, forms)

    def _forms(self, table: str) -> dict[str, FileForm]:
        scan = self._catalog.scan(f"landing.{table}")
        keys = {key for values in scan.partitions.values() for key in values}
        own = FileForm(scan.format, tuple(name for name in scan.schema.names if name not in keys), scan.parameters)
        return {file.uri: scan.forms.get(file.uri, own) for file in scan.files}

    def values(self, origin: Origin, wanted: frozenset[str]) -> frozenset[str]:
        """Return the values of a source's column, as its lines may write them, that a mapping makes into the wanted."""
        if not wanted:
            return frozenset()
        # On the engine itself: what a workgroup runs stands in the history.
        handle = self._workgroup.engine.start(origin.query, self._workgroup.inputs(origin.query))
        given: set[str] = set()
        for batch in handle.batches():
            mine = batch.filter(matching({"made": batch.column("made")}, {"made": wanted}))
            given |= {str(one) for one in mine.column("given").to_pylist() if one is not None}
        # A column of numbers is the same number with and without a fraction of zero.
        return frozenset(form for one in given for form in (one, one.removesuffix(".0"), f"{one.removesuffix('.0')}.0"))


def ref_of(lake: Lake, uri: str) -> FileRef:
    """Return a data file as the lake's file."""
    zone, key = lake.locate(uri)
    return next(ref for ref in lake.list(zone, key) if ref.key == key)
