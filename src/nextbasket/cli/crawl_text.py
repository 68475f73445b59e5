"""What a crawl found, as a person reads it."""

from collections.abc import Mapping, Sequence
from typing import Any


def crawl_text(found: Mapping[str, Any]) -> str:
    """Return a crawl's report: the tables that changed with their differences, then what is worth knowing."""
    tables = found["tables"]
    changed = [table for table in tables if table["changed"]]
    files = sum(table["files"] for table in tables)
    counts = (_many(len(tables), "table"), _many(files, "file"), f"{found['files_read']:,} of them read")
    lines = [", ".join((*counts, f"{_many(len(changed), 'table')} changed"))]
    for table in tables:
        if not table["changed"] and not table["notes"]:
            continue
        lines.append(f"{table['table']}  {_many(table['files'], 'file')}{_state(table)}")
        lines += [f"  {line}" for line in table["differences"]]
        lines += [f"  note: {note}" for note in table["notes"]]
    lines += [f"{gone['table']}  its files are gone: {gone['action']}" for gone in found["gone"]]
    lines += [f"not read: {reason}" for reason in found["unread"]]
    return "\n".join(lines)


def history_text(history: Sequence[Mapping[str, Any]]) -> str:
    """Return a table's changes, oldest first."""
    lines = []
    for change in history:
        lines.append(f"{change['at']}{'' if change['applied'] else '  noted only (policy LOG)'}")
        lines += [f"  {line}" for line in change["differences"]]
    return "\n".join(lines)


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _state(table: Mapping[str, Any]) -> str:
    if table["created"]:
        return "  new"
    if table["changed"]:
        return "  changed" if table["applied"] else "  differs, and stays as it is (policy LOG)"
    return ""
