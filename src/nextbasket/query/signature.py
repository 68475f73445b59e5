"""How one portable function is called, what it gives, and how each engine says it."""

from dataclasses import dataclass

SAME = "same"
"""A rule's mark: the engine's function has this name and these arguments, or the engine's rules say how."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way to call a function: ``signature`` such as ``split_part(text, delimiter, index)``.

    ``returns`` is Athena's type of the result, ``=1`` for the type of the first argument, ``[1]`` for an array of it,
    ``1[]`` for its elements, or empty where it depends on more. ``duckdb`` and ``spark`` are expressions over the
    signature's argument names in the engine's own SQL, or ``SAME``. ``note`` is said in the docs.
    """

    signature: str
    returns: str = ""
    duckdb: str = SAME
    spark: str = SAME
    note: str = ""
    aggregate: bool = False

    @property
    def name(self) -> str:
        """The function's name."""
        return self.signature.partition("(")[0]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of its arguments; ``…`` at the end stands for any number of further ones."""
        inside = self.signature.partition("(")[2].rpartition(")")[0]
        return tuple(part.strip() for part in inside.split(",") if part.strip())

    def takes(self, count: int) -> bool:
        """Say whether it can be called with so many arguments."""
        names = self.arguments
        return count >= len(names) - 1 if "…" in names else count == len(names)
