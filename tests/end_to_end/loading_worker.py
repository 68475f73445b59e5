"""A process that has imported everything and forks a process for each piece of work: cheap to start, real to kill.

Reads one JSON object a line: ``{"home", "sources", "run"}`` starts a process that lands, crawls and loads, and answers
its process id; ``{"wait": pid}`` answers how it ended.
"""

import json
import os
import sys
import traceback
from pathlib import Path

# What a load imports when it needs it, before the fork instead of after.
import pyiceberg.catalog.sql
import pyiceberg.io.pyarrow  # noqa: F401 - imported to be there

from nextbasket.app.shop import open_shop


def work(home: Path, sources: list[str], run: str) -> None:
    shop = open_shop(home, create=True)
    for number, source in enumerate(sources):
        shop.landing.land([Path(source)])
        shop.crawler.crawl()
        shop.loader.load(f"{run}-{number}")


def child(asked: dict[str, object]) -> None:
    try:
        work(Path(str(asked["home"])), asked["sources"], str(asked["run"]))  # type: ignore[arg-type]
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        if "wait" in asked:
            answer: object = os.waitstatus_to_exitcode(os.waitpid(asked["wait"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                child(asked)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
