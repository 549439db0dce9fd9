"""The command line. It talks to whatever the standard AWS environment points at."""

from chalicelib.cli.main import main

__all__ = ["main"]
