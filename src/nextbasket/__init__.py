"""From a grocery's order files to each shopper's next basket.

``nextbasket.open("shop")`` gives a home's tables and queries as Arrow, pandas or Polars; docs/python.md.
"""

from os import PathLike
from typing import TYPE_CHECKING

from nextbasket.version import __version__

if TYPE_CHECKING:
    from nextbasket.app.python_api import OpenHome

__all__ = ["__version__", "open"]


def open(home: str | PathLike[str] | None = None) -> "OpenHome":
    """Open a shop home for reading: its tables and queries as Arrow, pandas or Polars.

    Without ``home`` it is ``NEXTBASKET_HOME``, else ``./shop``. Raises HomeError when there is none.
    """
    # Here, so that importing the package costs nothing.
    from nextbasket.app.python_api import open_home

    return open_home(home)
