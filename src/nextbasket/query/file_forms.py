"""The files of a scan, grouped by how they are written: each group is read in its own way."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nextbasket.catalog.base import FileForm, Scan


@dataclass(frozen=True, slots=True)
class FileGroup:
    """Files of one form: their URIs, and a scan of them whose format and parameters are this form's.

    ``columns`` names what the files hold, in their order; partition keys are not in it unless the files hold a column
    of that name.
    """

    scan: Scan
    uris: tuple[str, ...]
    columns: tuple[str, ...]


def partition_keys(scan: Scan) -> tuple[str, ...]:
    """Return the columns of a scan that its folders say."""
    found = {key for values in scan.partitions.values() for key in values}
    return tuple(name for name in scan.schema.names if name in found)


def groups(scan: Scan) -> Sequence[FileGroup]:
    """Return a scan's files in groups, in the order of each group's first file."""
    keys = partition_keys(scan)
    own = FileForm(scan.format, tuple(name for name in scan.schema.names if name not in keys), scan.parameters)
    found: dict[tuple[object, ...], tuple[FileForm, list[str]]] = {}
    for file in scan.files:
        form = scan.forms.get(file.uri, own)
        key = (form.format, form.columns, tuple(sorted(form.parameters.items())))
        found.setdefault(key, (form, []))[1].append(file.uri)
    return [
        FileGroup(replace(scan, format=form.format, parameters=form.parameters), tuple(uris), form.columns)
        for form, uris in found.values()
    ]
