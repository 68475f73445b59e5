"""Excel and OpenDocument workbooks as CSV: so all that is known about CSV holds for them too. Extra ``formats``."""

import csv
import io
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, BinaryIO

from nextbasket.errors import InputError, MissingExtraError


def as_csv(stream: BinaryIO, name: str) -> bytes:
    """Return a workbook's first sheet that holds anything as CSV in UTF-8, a line for each of its rows.

    Whole numbers have no fraction, dates are ISO's, an empty row is a blank line. Raises InputError for a damaged or
    protected workbook and for one with several such sheets, MissingExtraError without the extra.
    """
    try:
        import python_calamine
    except ImportError as error:
        raise MissingExtraError(f"reading the workbook {name}", "formats") from error
    try:
        # calamine reads a workbook as a whole; it holds at most a million rows a sheet.
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(stream.read()))
        sheets = {sheet: book.get_sheet_by_name(sheet).to_python(skip_empty_area=False) for sheet in book.sheet_names}
    except python_calamine.PasswordError as error:
        raise InputError(f"{name} is protected with a password; save it without one and land it again.") from error
    except (python_calamine.CalamineError, OSError) as error:
        raise InputError(
            f"{name} is not a whole workbook ({error}); delete it there and land it again, or save it as CSV."
        ) from error
    filled = {sheet: rows for sheet, rows in sheets.items() if any(_texts(rows))}
    if len(filled) > 1:
        raise InputError(
            f"{name} has {len(filled)} sheets with data ({', '.join(filled)}) and a file is one table: "
            "save each sheet as a file of its own, then delete this one there and land those."
        )
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    for rows in filled.values():
        for row in rows:
            texts = [_text(cell) for cell in row]
            if any(texts):
                writer.writerow(texts)
            else:
                text.write("\n")
    return text.getvalue().encode()


def _texts(rows: Iterable[Iterable[Any]]) -> Iterable[str]:
    return (_text(cell) for row in rows for cell in row)


def _text(cell: Any) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime):
        midnight = (cell.hour, cell.minute, cell.second, cell.microsecond) == (0, 0, 0, 0)
        return cell.date().isoformat() if midnight else cell.isoformat(" ")
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell)
