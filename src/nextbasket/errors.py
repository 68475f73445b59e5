"""Everything nextbasket raises on purpose: one root, small families.

Each error names the thing (table, column, file, line, recipe step) and says what to do next. The command line prints
the sentence and ends with the error's ``exit_status``; a traceback appears only with ``--debug``.
"""

from collections.abc import Sequence


class NextbasketError(Exception):
    """The root of all errors raised on purpose; its text is one clear sentence for the person at the keyboard."""

    exit_status = 1


class UsageError(NextbasketError):
    """The command was called in a way it does not understand."""

    exit_status = 2


class NotBuiltError(NextbasketError):
    """The thing asked for is planned and not built yet."""

    exit_status = 3

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not built yet.")


class MissingExtraError(NextbasketError):
    """An optional part was used without its extra installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra '{extra}': pip install 'nextbasket[{extra}]'.")


class HomeError(NextbasketError):
    """The shop home cannot be used: it is not there, not writable, full, or its settings are wrong."""


class InputError(NextbasketError):
    """Data given to nextbasket cannot be read as what it should be: a file, a table or a column is at fault."""


class NotFoundError(NextbasketError):
    """A table, shopper, product, model or other named thing is not there."""


class CommitConflictError(NextbasketError):
    """Another writer committed to the table first; computing again from the new snapshot is safe."""


class QueryError(NextbasketError):
    """A SQL statement cannot be run as written.

    ``line`` and ``column`` (both from 1) point into the statement where they are known.
    """

    def __init__(self, message: str, *, line: int | None = None, column: int | None = None) -> None:
        where = f" (line {line}, column {column})" if line is not None else ""
        super().__init__(f"{message}{where}")
        self.line = line
        self.column = column


class RecipeError(NextbasketError):
    """A recipe cannot be parsed or compiled; ``faults`` holds every fault found, one sentence each."""

    def __init__(self, recipe: str, faults: Sequence[str]) -> None:
        listed = "\n".join(f"  - {fault}" for fault in faults)
        super().__init__(f"recipe {recipe} has {len(faults)} fault{'s' if len(faults) != 1 else ''}:\n{listed}")
        self.faults = tuple(faults)


class ModelError(NextbasketError):
    """A model cannot be trained, loaded or used as asked."""
