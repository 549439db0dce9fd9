"""What became of one call of a function."""

import json
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib.local.context import Context

Handler = Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the function returned, or why it did not. `failure` is empty if it did."""

    value: Any = None
    failure: str = ""


def call(handler: Handler, event: Any, context: Context) -> Outcome:
    """Call the function as Lambda does: whatever it raises is a failed call, and so is an answer that is not JSON."""
    try:
        return Outcome(json.loads(json.dumps(handler(event, context))))
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        return Outcome(failure=f"{type(error).__name__}: {error}")
