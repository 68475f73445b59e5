"""Bring Glue's partitions of a table read in place up to the folders that are there."""

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeVar

from nextbasket.catalog.base import Scan, TableDefinition
from nextbasket.catalog.glue_tables import partition_input
from nextbasket.errors import HomeError

# The most that one request takes.
_CREATED_AT_ONCE = 100
_DELETED_AT_ONCE = 25

Item = TypeVar("Item")


def sync_partitions(glue: Any, table: Mapping[str, Any], definition: TableDefinition, scan: Scan) -> None:
    """Create, correct and delete partitions of a Glue table until they are those of ``scan``, the table's own plan.

    A partition whose columns or form differ from the table's is corrected: Athena would refuse to read it.
    """
    keys = [column.name for column in definition.partition_keys]
    wanted = {
        values: partition_input(table, list(values), location) for values, location in _locations(keys, scan).items()
    }
    where = {"DatabaseName": table["DatabaseName"], "TableName": table["Name"]}
    pages = glue.get_paginator("get_partitions").paginate(**where)
    there = {tuple(one["Values"]): one["StorageDescriptor"] for page in pages for one in page["Partitions"]}
    new = [entry for values, entry in wanted.items() if values not in there]
    for some in _some(new, _CREATED_AT_ONCE):
        _refuse(glue.batch_create_partition(**where, PartitionInputList=some), definition, "AlreadyExistsException")
    changed = [
        {"PartitionValueList": list(values), "PartitionInput": entry}
        for values, entry in wanted.items()
        if values in there and there[values] != entry["StorageDescriptor"]
    ]
    for some in _some(changed, _CREATED_AT_ONCE):
        _refuse(glue.batch_update_partition(**where, Entries=some), definition, "EntityNotFoundException")
    gone = [{"Values": list(values)} for values in there if values not in wanted]
    for some in _some(gone, _DELETED_AT_ONCE):
        _refuse(glue.batch_delete_partition(**where, PartitionsToDelete=some), definition, "EntityNotFoundException")


def _locations(keys: Sequence[str], scan: Scan) -> dict[tuple[str, ...], str]:
    """Return each partition's folder, with its slash: the deepest one that holds all its files.

    Left out is a partition whose folder holds another one's (files that lie beside the partitions' folders): Athena
    would read the inner one twice.
    """
    folders: dict[tuple[str, ...], str] = {}
    for uri, found in scan.partitions.items():
        values = tuple(found[key] for key in keys)
        folder = posixpath.dirname(uri)
        while values in folders and not f"{folder}/".startswith(folders[values]):
            folders[values] = f"{posixpath.dirname(folders[values].rstrip('/'))}/"
        folders.setdefault(values, f"{folder}/")
    every = sorted(set(folders.values()))
    outer = {first for first, second in pairwise(every) if second.startswith(first)}
    return {values: folder for values, folder in folders.items() if folder not in outer}


def _some(items: Sequence[Item], at_once: int) -> Iterator[list[Item]]:
    for start in range(0, len(items), at_once):
        yield list(items[start : start + at_once])


def _refuse(answer: Mapping[str, Any], definition: TableDefinition, harmless: str) -> None:
    """Raise HomeError for the first fault in a batch's answer that is not another program's doing the same."""
    faults: Iterable[Mapping[str, Any]] = answer.get("Errors", ())
    for fault in faults:
        detail = fault["ErrorDetail"]
        if detail["ErrorCode"] != harmless:
            values = fault.get("PartitionValues") or fault.get("PartitionValueList")
            raise HomeError(
                f"Glue refused the partition {values} of {definition.full_name}: {detail.get('ErrorMessage')}."
            )
