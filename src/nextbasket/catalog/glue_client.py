"""The tables of one shop in Glue's Data Catalog, which a whole account shares."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from nextbasket.catalog.base import TableDefinition
from nextbasket.catalog.glue_partitions import sync_partitions
from nextbasket.catalog.glue_tables import place_of, to_glue
from nextbasket.catalog.iceberg import LostRaceError
from nextbasket.catalog.in_place import scan_in_place
from nextbasket.catalog.names import no_such_table, split_name
from nextbasket.errors import HomeError, NotFoundError
from nextbasket.lake.aws_access import AwsAccess, aws_errors, is_refusal
from nextbasket.lake.base import Lake, Zone


@contextmanager
def talking(doing: str, what: str) -> Iterator[None]:
    """Turn what Glue, S3 or the way there refuses inside the block into HomeError; ``doing`` is its verb."""
    with aws_errors(doing, what):
        try:
            yield
        except OSError as error:
            raise HomeError(f"cannot {doing} {what}: {error}") from error


class GlueTables:
    """Glue's tables, as its API has them, in the databases whose names start with ``prefix``.

    Only those that lie in ``lake`` are this shop's: others are not listed, and naming one raises HomeError.
    """

    def __init__(self, access: AwsAccess, lake: Lake, prefix: str) -> None:
        self._access = access
        self._lake = lake
        self._prefix = prefix.lower()

    def glue_name(self, database: str) -> str:
        """Return Glue's name of a database."""
        return f"{self._prefix}{database}"

    def database_of(self, table: Mapping[str, Any]) -> str:
        """Return the shop's name of a table's database."""
        return str(table["DatabaseName"]).removeprefix(self._prefix)

    def full_name(self, table: Mapping[str, Any]) -> str:
        """Return ``database.table`` as the shop has it."""
        return f"{self.database_of(table)}.{table['Name']}"

    def get(self, database: str, name: str) -> dict[str, Any] | None:
        """Return a table, None when there is none."""
        from botocore.exceptions import ClientError

        with talking("read", f"{database}.{name}"):
            try:
                answer = self._access.glue.get_table(DatabaseName=self.glue_name(database), Name=name)
            except ClientError as error:
                if is_refusal(error, "EntityNotFoundException"):
                    return None
                raise
        table: dict[str, Any] = answer["Table"]
        if not self._is_ours(table):
            raise HomeError(
                f"Glue's table {table['DatabaseName']}.{table['Name']} lies at {place_of(table) or 'no place'}, "
                "outside this shop's lake; set another prefix under [catalog] in nextbasket.toml."
            )
        return table

    def found(self, name: str) -> dict[str, Any]:
        """Return the table ``database.table``; raises NotFoundError that names the nearest known one."""
        table = self.get(*split_name(name))
        if table is None:
            raise no_such_table(name, map(self.full_name, self.all()))
        return table

    def all(self, database: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the shop's tables, of one database if named."""
        from botocore.exceptions import ClientError

        glue = self._access.glue
        with talking("list", "the Glue catalog"):
            if database is not None:
                names = [self.glue_name(database)]
            else:
                pages = glue.get_paginator("get_databases").paginate()
                names = [one["Name"] for page in pages for one in page["DatabaseList"]]
            for name in names:
                if not name.startswith(self._prefix):
                    continue
                try:
                    for page in glue.get_paginator("get_tables").paginate(DatabaseName=name):
                        yield from (table for table in page["TableList"] if self._is_ours(table))
                except ClientError as error:
                    if not is_refusal(error, "EntityNotFoundException"):
                        raise

    def create_database(self, database: str) -> None:
        """Make a database; one that is there already must be this shop's, else HomeError."""
        from botocore.exceptions import ClientError

        name, location = self.glue_name(database), self._lake.uri(Zone.WAREHOUSE, f"tables/{database}")
        try:
            self._access.glue.create_database(DatabaseInput={"Name": name, "LocationUri": location})
        except ClientError as error:
            if not is_refusal(error, "AlreadyExistsException"):
                raise
            there = self._access.glue.get_database(Name=name)["Database"].get("LocationUri", location)
            if there.rstrip("/") != location:
                raise HomeError(
                    f"Glue's database {name} belongs to {there}, not to this shop at {location}; "
                    "set another prefix under [catalog] in nextbasket.toml."
                ) from error

    def create(self, definition: TableDefinition) -> None:
        """Make a table read in place, or a view; raises LostRaceError when another program just made it."""
        from botocore.exceptions import ClientError

        try:
            self._access.glue_once.create_table(
                DatabaseName=self.glue_name(definition.database),
                TableInput=to_glue(definition, self._location(definition), {}),
            )
        except ClientError as error:
            if is_refusal(error, "AlreadyExistsException"):
                raise LostRaceError(f"{definition.full_name} was created by another program just now.") from error
            raise

    def update(self, definition: TableDefinition, table: Mapping[str, Any], properties: Mapping[str, str]) -> None:
        """Put a definition in place of ``table``; raises LostRaceError when that is no longer the newest version."""
        from botocore.exceptions import ClientError

        try:
            self._access.glue_once.update_table(
                DatabaseName=table["DatabaseName"],
                TableInput=to_glue(definition, self._location(definition), properties),
                SkipArchive=True,
                VersionId=table["VersionId"],
            )
        except ClientError as error:
            if is_refusal(error, "ConcurrentModificationException"):
                raise LostRaceError(f"another program changed {definition.full_name} first.") from error
            raise

    def delete(self, table: Mapping[str, Any]) -> None:
        """Remove a table."""
        with talking("drop", self.full_name(table)):
            self._access.glue.delete_table(DatabaseName=table["DatabaseName"], Name=table["Name"])

    def sync_partitions(self, definition: TableDefinition) -> None:
        """Bring the partitions of a table read in place up to the folders that are there."""
        table = self.found(definition.full_name)
        sync_partitions(self._access.glue, table, definition, scan_in_place(definition, self._lake))

    def _location(self, definition: TableDefinition) -> str:
        """Return the location with the slash that Athena wants behind a folder; a single file has none.

        A view has no place of its own and gets the lake's.
        """
        if not definition.location:
            return self._lake.uri(Zone.WAREHOUSE)
        zone, key = self._lake.locate(definition.location)
        first = next(iter(self._lake.list(zone, key)), None)  # a key sorts before all that begin with it
        single = first is not None and first.key == key
        return definition.location if single else f"{definition.location.rstrip('/')}/"

    def _is_ours(self, table: Mapping[str, Any]) -> bool:
        try:
            self._lake.locate(place_of(table))
        except NotFoundError:
            return False
        return True
