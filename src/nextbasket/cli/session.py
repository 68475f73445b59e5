"""What one call of the command line knows: where the home is, and how to answer."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from nextbasket.progress import Progress

if TYPE_CHECKING:
    from nextbasket.app.shop import Shop

SECONDS_BETWEEN_LINES = 1.0


@dataclass(frozen=True, slots=True)
class Session:
    """The global options of one call."""

    home: Path
    json: bool
    debug: bool

    def shop(self, *, create: bool = False) -> "Shop":
        """Open the shop home; ``create`` makes one that is not there yet."""
        from nextbasket.app.shop import open_shop

        return open_shop(self.home, create=create)

    def answer(self, document: Any, text: str | Callable[[], str]) -> None:
        """Print the command's answer: one JSON document with ``--json``, else the text for people."""
        if self.json:
            json.dump(document, sys.stdout, ensure_ascii=False, default=str)
            sys.stdout.write("\n")
        else:
            sys.stdout.write((text if isinstance(text, str) else text()).rstrip("\n") + "\n")

    def note(self, sentence: str) -> None:
        """Say something beside the answer, on stderr."""
        print(f"nextbasket: {sentence}", file=sys.stderr)  # noqa: T201 this is the terminal's room

    def end_line(self) -> None:
        """Keep the moving line of progress and begin a new one."""
        if sys.stderr.isatty():
            sys.stderr.write("\n")

    def progress(self, title: str) -> Progress:
        """Return a progress callback that writes to stderr: a moving line on a terminal, whole lines elsewhere."""
        return TerminalProgress(title) if sys.stderr.isatty() else LineProgress(title)


def session(context: typer.Context) -> Session:
    """Return the session that the global options made."""
    made = context.obj
    if not isinstance(made, Session):  # the callback always runs before a command
        raise TypeError("the command was called without the global options")
    return made


class LineProgress:
    """Progress as whole lines on stderr: each new message, but of a quick row of them only one in a while."""

    def __init__(self, title: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._title = title
        self._clock = clock
        self._last: str | None = None
        self._at = -SECONDS_BETWEEN_LINES

    def __call__(self, message: str, fraction: float | None) -> None:
        """Write the message when it is a new one, and it begins or ends something or the last one is old enough."""
        now = self._clock()
        within = fraction is not None and 0 < fraction < 1
        if message == self._last or (within and now - self._at < SECONDS_BETWEEN_LINES):
            return
        self._last, self._at = message, now
        print(f"{self._title}: {message}", file=sys.stderr, flush=True)  # noqa: T201 this is the terminal's room


class TerminalProgress:
    """Progress as one moving line on a terminal."""

    def __init__(self, title: str) -> None:
        self._title = title

    def __call__(self, message: str, fraction: float | None) -> None:
        """Redraw the line."""
        share = "" if fraction is None else f" {fraction:4.0%}"
        line = f"{self._title}:{share} {message}"[:110]
        print(f"\r\x1b[2K{line}", end="", file=sys.stderr, flush=True)  # noqa: T201 this is the terminal's room
