"""Count what became of the lines of one table's new files, and keep those that cannot be loaded."""

from collections.abc import Mapping
from dataclasses import replace

from nextbasket.catalog.base import Scan
from nextbasket.errors import InputError
from nextbasket.ingest.checked import NO_ORDER, CheckedRows
from nextbasket.ingest.checks import DROPPED, FILE
from nextbasket.ingest.fates import FileFates
from nextbasket.ingest.load_attempt import Attempt, TableLoad
from nextbasket.ingest.quarantine import Quarantine
from nextbasket.ingest.records import LINE, REASON
from nextbasket.ingest.shop import unbound
from nextbasket.ingest.waiting_lines import SHOWN


def check_total(table: TableLoad, read: int, records: int) -> None:
    """Raise InputError when an engine read another number of lines than the files hold."""
    if read != records:
        raise InputError(
            f"{table.name}: {records:,} records were delivered and {read:,} read; this is a fault of "
            "nextbasket: nothing was loaded, please report it with the file."
        )


class FateCounter:
    """Counts fates; ``quarantine`` takes the lines that cannot be loaded."""

    def __init__(self, attempt: Attempt, quarantine: Quarantine) -> None:
        self._attempt = attempt
        self._quarantine = quarantine

    def clean(self, table: TableLoad) -> list[FileFates]:
        """Return the fates where every line of every file is good and new."""
        return [
            FileFates(
                table.name, delivery.ref.key, delivery.sha256, counted.records, counted.records, blank=counted.blank
            )
            for delivery, counted in zip(table.deliveries, table.counted, strict=True)
        ]

    def count(self, table: TableLoad, existing: Scan, waited: Mapping[int, int]) -> list[FileFates]:
        """Return the fates of each file; ``existing`` are the stored rows that may have a new key already.

        ``waited`` counts, by file number, the lines that had to wait for their order and are taken now: their file
        gets fates that add to its former ones, with so many lines fewer in quarantine.
        """
        if table.rows is None:
            return []
        files = file_names(table)
        good = self._good(table, table.rows, existing, len(files))
        quarantined, kept = self._quarantined(table, table.rows, files)
        dropped = self._dropped(table.rows)
        fates = []
        for number, (key, sha256) in files.items():
            accepted, taken = good.get(number, (0, 0))
            counted = (
                table.counted[number] if number < len(table.counted) and len(files) == len(table.counted) else None
            )
            one = FileFates(
                table=table.name,
                key=key,
                sha256=sha256,
                accepted=accepted,
                merged=taken - accepted,
                dropped=dropped.get(number, {}),
                quarantined=quarantined.get(number, 0),
                blank=counted.blank if counted is not None else 0,
                quarantine=kept.get(number),
            )
            records = counted.records if counted is not None else one.accounted
            check_total(table, one.accounted, records)
            fates.append(replace(one, records=records))
        for number, lines in waited.items():
            key, sha256 = table.again[number]
            accepted, taken = good.get(number, (0, 0))
            fates.append(FileFates(table.name, key, sha256, 0, accepted, taken - accepted, quarantined=-lines))
        return fates

    def _good(self, table: TableLoad, rows: CheckedRows, existing: Scan, files: int) -> dict[int, tuple[int, int]]:
        """Return (accepted, all good) lines by file number."""
        if files == 1 and not table.again and not rows.duplicates and not existing.files:
            return {0: (rows.good, rows.good)}
        inputs = {rows.scan.table: rows.scan}
        aged = rows.with_age()
        first = aged.src_age == 0
        if existing.files:
            key = list(table.layout.key)
            stored = unbound(existing)
            there = stored.select(**{f"there_{name}": stored[name] for name in key})
            # The few new keys are cast to what is stored, not the other way round.
            same = [aged[name].try_cast(stored[name].type()) == there[f"there_{name}"] for name in key]
            joined = aged.left_join(there, same)
            aged = joined.select(aged[FILE], fresh=first & joined[f"there_{key[0]}"].isnull())
            inputs[existing.table] = existing
        else:
            aged = aged.select(aged[FILE], fresh=first)
        good = aged.group_by(FILE).aggregate(accepted=aged.fresh.sum(), good=aged.count())
        found = self._attempt.checker.table(good, inputs).to_pylist()
        return {row[FILE]: (row["accepted"], row["good"]) for row in found}

    def _quarantined(
        self, table: TableLoad, rows: CheckedRows, files: Mapping[int, tuple[str, str]]
    ) -> tuple[dict[int, int], dict[int, str]]:
        """Keep the lines that cannot be loaded; returns their number and where they are, by file number."""
        if not rows.faulty:
            return {}, {}
        checker, inputs = self._attempt.checker, {rows.scan.table: rows.scan}
        unbound_rows = rows.rows()
        faulty = unbound_rows.filter(unbound_rows[REASON].notnull())
        # Lines that wait for their order are kept by themselves, except where a mapping makes all lines anew.
        waits = faulty[REASON].startswith(NO_ORDER) & (table.mapping is None)
        found = checker.table(faulty.group_by(FILE).aggregate(n=faulty.count(), waiting=waits.sum()), inputs)
        counts = {row[FILE]: (row["n"], row["waiting"]) for row in found.to_pylist()}
        kept = {number: SHOWN for number, (_, waiting) in counts.items() if waiting}
        if any(n > waiting for n, waiting in counts.values()):
            lines = faulty.filter(~waits).select(FILE, LINE, REASON, "src_raw").order_by([FILE, LINE])
            kept |= self._quarantine.write(table.name, files, checker.batches(lines, inputs))
        return {number: n for number, (n, _) in counts.items()}, kept

    def _dropped(self, rows: CheckedRows) -> dict[int, dict[str, int]]:
        dropped: dict[int, dict[str, int]] = {}
        if rows.dropped:
            left = rows.rows().filter(rows.rows()[DROPPED].notnull())
            counts = left.group_by([FILE, DROPPED]).aggregate(n=left.count())
            found = self._attempt.checker.table(counts, {rows.scan.table: rows.scan}).to_pylist()
            for row in sorted(found, key=lambda row: (-row["n"], row[DROPPED])):
                dropped.setdefault(row[FILE], {})[row[DROPPED]] = row["n"]
        return dropped


def file_names(table: TableLoad) -> dict[int, tuple[str, str]]:
    """Return (landing key, sha256) by file number; a mapping's rows that name no file share one entry."""
    if table.mapping is None:
        return {at: (delivery.ref.key, delivery.sha256) for at, delivery in enumerate(table.deliveries)}
    files = table.mapping.files
    if len(files) == 1:
        return {0: (files[0].ref.key, files[0].sha256)}
    if len(table.counted) == len(files) and table.paths:
        return {at: (file.ref.key, file.sha256) for at, file in enumerate(files)}
    return {0: ("+".join(f"{source}/" for source in table.mapping.sources), table.mapping.fingerprint)}
