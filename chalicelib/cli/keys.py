"""Secrets are asked for, or read from a file or a pipe; they are no options, since shells remember those."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from chalicelib.config.connection import Connection
from chalicelib.core.keeping import needed
from chalicelib.core.keys import Keys
from chalicelib.core.pasted import LONGEST, moment, pasted, plain
from chalicelib.errors import ConfigError

WORDS = {
    "access_key_id": "Access key id",
    "secret_access_key": "Secret access key",
    "session_token": "Session token",
    "proxy_password": "Password of the proxy's user",
}


def _hidden(text: str) -> str:
    answer: str = click.prompt(text, default="", hide_input=True, show_default=False, err=True)
    return answer


def _shown(text: str) -> str:
    answer: str = click.prompt(text, default="", show_default=False, err=True)
    return answer


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks whoever sits there, if somebody does."""

    hidden: Callable[[str], str] = _hidden
    shown: Callable[[str], str] = _shown
    attended: Callable[[], bool] = lambda: sys.stdin.isatty()

    def keys(self, connection: Connection, *, known: bool = False) -> Keys:
        """What the connection needs; of one that is `known`, an empty answer keeps what is there.

        Raises ConfigError if nobody is there to answer.
        """
        wanted, where = needed(connection), f"connection {connection.name}"
        if not self.attended():
            names = ", ".join(wanted)
            raise ConfigError(
                f"it needs {names}, and there is no terminal to ask at",
                where=where,
                remedy="Give --keys-file FILE, or --keys-file - and pipe in what `aws sts …` printed",
            )
        keep = " (empty: as it is)" if known else ""
        answers = {name: plain(self.hidden(WORDS[name] + keep), name, where=where) for name in wanted}
        ends = None
        if answers.get("session_token"):
            ends = moment(self.shown("When they end, as 2026-11-22T12:00:00Z (empty: unknown)"), where)
        return Keys(**answers, expires_at=ends)


def read_keys(path: Path) -> Keys:
    """The keys in a file, or on standard input for `-`. Raises ConfigError, which repeats nothing of it."""
    where = "standard input" if str(path) == "-" else str(path)
    try:
        text = sys.stdin.read(LONGEST + 1) if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, whose bytes the error would show
        why = getattr(error, "strerror", None) or "it is no text"
        raise ConfigError(f"it cannot be read ({why})", where=where, remedy="Give a file with keys") from None
    return pasted(text, where=where)
