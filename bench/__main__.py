"""`python -m bench`."""

import sys

from bench.host import missing


def main() -> None:
    """The command line; without one of its packages a line that says what to do, and exit code 2."""
    try:
        from bench.cli import main as run

        run()
    except ModuleNotFoundError as error:
        if not (text := missing.told(error)):
            raise
        print(f"error: {text}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
