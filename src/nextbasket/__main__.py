"""``python -m nextbasket`` is the command ``nextbasket``."""

from nextbasket.cli.main import main

if __name__ == "__main__":
    main()
