"""The command's frame: global options, and how errors end a call."""

import errno
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from nextbasket.cli import (
    catalog_commands,
    model_commands,
    pipeline_commands,
    planned_commands,
    recipe_commands,
    upkeep_commands,
)
from nextbasket.cli.session import Session, session
from nextbasket.errors import NextbasketError
from nextbasket.version import __version__

app = typer.Typer(
    name="nextbasket",
    help="From a grocery's order files to each shopper's next basket.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def options(
    context: typer.Context,
    home: Annotated[
        Path, typer.Option(envvar="NEXTBASKET_HOME", help="The shop home: a folder that holds everything.")
    ] = Path("shop"),
    json: Annotated[bool, typer.Option("--json", help="Answer with one JSON document on stdout.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback when something fails.")] = False,
) -> None:
    """From a grocery's order files to each shopper's next basket."""
    context.obj = Session(home=home.absolute(), json=json, debug=debug)


@app.command()
def version(context: typer.Context) -> None:
    """Print the version."""
    session(context).answer({"version": __version__}, __version__)


for module in (
    pipeline_commands,
    catalog_commands,
    recipe_commands,
    model_commands,
    upkeep_commands,
    planned_commands,
):
    module.add_to(app)

_GLOBAL = ("--home", "--json", "--debug")
_STOPPED = "stopped; run the same command again to go on."
_SPACE = {errno.ENOSPC, errno.EDQUOT}
_DENIED = {errno.EROFS, errno.EACCES, errno.EPERM}


def main() -> None:
    """Run the command line and end the process with its exit status.

    0 done, 1 failed with one sentence on stderr, 2 wrong usage, 3 not built yet, 130 interrupted.
    """
    debug = "--debug" in sys.argv
    try:
        status = app(prog_name="nextbasket", standalone_mode=False)
    except TyperException as error:
        show = getattr(error, "show", None)
        if show is None:
            _say(error.format_message())
        else:
            show()
        if getattr(error, "option_name", None) in _GLOBAL:
            _say("--home, --json and --debug stand before the command: nextbasket --home shop --json run.")
        status = error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        _say(_STOPPED)
        status = 130
    except BrokenPipeError:  # the reader, ``head`` for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except NextbasketError as error:
        if debug:
            raise
        _say(str(error))
        status = error.exit_status
    except Exception as error:
        if debug:
            raise
        if "Query interrupted" in str(error):  # Ctrl-C reached the engine before Python
            _say(_STOPPED)
            status = 130
        else:
            _say(_sentence_of(error))
            status = 1
    sys.exit(status if isinstance(status, int) else 0)


def _sentence_of(error: BaseException) -> str:
    """Return one sentence for a failure that nobody raised on purpose: the machine's, or a fault in nextbasket."""
    link: BaseException | None = error
    while link is not None:
        if (isinstance(link, OSError) and link.errno in _SPACE) or "No space left on device" in str(link):
            return "the disk is full; free some space and run the same command again: nothing is lost."
        if isinstance(link, OSError) and link.errno in _DENIED:
            return f"no permission to write {link.filename}; choose another --home or change its permissions."
        link = link.__cause__ or link.__context__
    what = " ".join(str(error).split())[:300]
    return f"unexpected {type(error).__name__}: {what} (run again with --debug before the command for a traceback)."


def _say(sentence: str) -> None:
    start = "\n" if sys.stderr.isatty() else ""
    print(f"{start}nextbasket: {sentence}", file=sys.stderr)  # noqa: T201 this is the terminal's room
