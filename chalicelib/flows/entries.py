"""What an object of a customer's bucket holds, ready to be read: the one way for load and preview."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial

from chalicelib.config.destination import SchemaChange
from chalicelib.config.filters import Filter
from chalicelib.config.parsers.objects import Objects
from chalicelib.config.source import Source
from chalicelib.core.connections import Grant
from chalicelib.core.places import WHOLE, Span
from chalicelib.core.tasks import Tally
from chalicelib.errors import DecodeError
from chalicelib.flows.ports import Buckets
from chalicelib.flows.watched import Watched
from chalicelib.records.stream import EMPTY, Entry, Setting, described, open_rows


@contextmanager
def entries(
    buckets: Buckets,
    grant: Grant,
    source: Source,
    filters: tuple[Filter, ...],
    setting: Setting,
    *,
    change: SchemaChange = SchemaChange.EVOLVE,
    breaks: list[DecodeError] | None = None,
    span: Span = WHOLE,
    tally: Tally = EMPTY,
    alive: Callable[[], None] | None = None,
) -> Iterator[Iterator[Entry]]:
    """The entries of `setting.ref`, each to be read to its end before the next is asked for.

    Objects that are rows themselves are described, not read. `change`, `breaks`, `span`, `tally`: see open_rows.
    `alive` is called at every read of the body, and may raise.

    Raises what Buckets and records.stream.open_rows raise.
    """
    ref, prefix, parser = setting.ref, source.listed_prefix, source.parser
    if isinstance(parser, Objects):
        describe = partial(buckets.describe, grant, ref, prefix=prefix, tags=parser.tags)
        yield described(describe, parser, filters, setting, change=change)
        return
    with closing(buckets.open(grant, ref, prefix=prefix)) as opened:
        body = opened if alive is None else Watched(opened, alive)
        yield open_rows(
            body, source, filters, setting, encoding=body.encoding, change=change, breaks=breaks, span=span, tally=tally
        )
