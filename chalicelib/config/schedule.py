"""When a pipeline sweeps on its own: cron or rate, time zone, delay, and what becomes of sessions that are late."""

import re
from datetime import datetime, timedelta
from typing import Annotated

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field

from chalicelib.config.spec import Spec
from chalicelib.config.zones import place

ALIASES = {"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *"}
RATE = re.compile(r"rate\( *([1-9][0-9]{0,4}) +(minute|hour|day)s? *\)")
EXAMPLES = '"10 0 * * *" (minute, hour, day of month, month, day of week), "@hourly" or "rate(15 minutes)"'
YEAR = 366 * 86_400


def interval(cadence: str) -> timedelta | None:
    """The step of a `rate(…)`, None for everything else. A day is 24 hours."""
    found = RATE.fullmatch(cadence)
    return timedelta(**{f"{found[2]}s": int(found[1])}) if found else None


def fields(cadence: str) -> str:
    """The five fields of a cron expression or of an alias of one."""
    return ALIASES.get(cadence, cadence)


def _cadence(text: str) -> str:
    """The text without spare spaces, if it says when to run (F45)."""
    text = " ".join(text.split())
    if interval(text) is None:
        reason = _refusal(text)
        if reason:
            raise ValueError(f"{text!r} {reason}; write it like {EXAMPLES}")
    return text


def _refusal(text: str) -> str | None:
    """Why this is no cron expression."""
    if text.startswith("@") and text not in ALIASES:
        return f"is not one of {', '.join(ALIASES)}"
    if text.startswith("rate"):
        return "is not rate(N minutes), rate(N hours) or rate(N days), with N from 1 to 99999"
    count = len(fields(text).split())
    if count != 5:
        return f"has {count} fields instead of five"
    try:
        next(CronSim(fields(text), datetime(2000, 1, 1)))  # noqa: DTZ001  a wall clock of no place
    except CronSimError as error:
        return f"cannot be understood ({str(error)[:1].lower()}{str(error)[1:]})"
    except StopIteration:
        return "never comes"
    return None


Cadence = Annotated[str, Field(max_length=200), AfterValidator(_cadence)]


class Schedule(Spec):
    """The `schedule` part of a pipeline. Sessions are the times that `cron` names; runs follow them by `delay`."""

    cron: Cadence = Field(description="Five cron fields, @hourly, @daily, @weekly, @monthly, or rate(N minutes) (F45).")
    timezone: Annotated[str, Field(max_length=100), AfterValidator(place)] = Field(
        "UTC", description="Whose clock `cron` and `full` read: Region/City or UTC (F46). A rate needs none."
    )
    delay: int = Field(
        0, ge=0, le=31 * 86_400, description="Seconds from the session to its run, for objects that come late (F47)."
    )
    skip_on_overtime: bool = Field(
        False, description="True: a session is skipped if a sweep still runs; false: it waits for its end (F51)."
    )
    skip_delayed_by: int | None = Field(
        None, ge=60, le=YEAR, description="Seconds by which a run may be late; later, its session is skipped (F53)."
    )
    full: Cadence | None = Field(
        "@daily",
        description="How often a session compares the whole listing with the ledger: same grammar; null is never.",
    )
