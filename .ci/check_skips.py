"""Fail when a test was skipped that the list of allowed skips does not name.

Usage: check_skips.py REPORT.xml SKIPS. Each line of SKIPS is a test's class and name as the report gives them, or a
prefix of it that ends in ``*``, then ``#`` and the reason it may be skipped in CI.
"""

import sys
import xml.etree.ElementTree as ElementTree
from fnmatch import fnmatchcase
from pathlib import Path


def main(report: str, skips: str) -> int:
    """Print the skipped tests that the list does not allow; return 1 when there are any."""
    lines = (line.split("#")[0].strip() for line in Path(skips).read_text(encoding="utf-8").splitlines())
    allowed = [line for line in lines if line]
    unexpected = []
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 the report is our own test runner's
        name = f"{case.get('classname')}.{case.get('name')}"
        if case.find("skipped") is not None and not any(fnmatchcase(name, pattern) for pattern in allowed):
            unexpected.append(name)
    for name in unexpected:
        print(f"skipped, and not listed in {skips}: {name}")  # noqa: T201 a script's answer
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
