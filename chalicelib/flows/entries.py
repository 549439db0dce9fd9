"""What an object of a customer's bucket holds, ready to be read: the one way for load and preview."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial

from chalicelib.config.destination import SchemaChange
from chalicelib.config.filters import Filter
from chalicelib.config.parsers.objects import Objects
from chalicelib.config.source import Source
from chalicelib.core.connections import Grant
from chalicelib.core.places import WHOLE, Span
from chalicelib.errors import DecodeError
from chalicelib.flows.ports import Buckets
from chalicelib.records.stream import Entry, Setting, described, open_rows


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
) -> Iterator[Iterator[Entry]]:
    """The entries of `setting.ref`, each to be read to its end before the next is asked for.

    Objects that are rows themselves are described, not read. `change`, `breaks`, `span`: see open_rows.

    Raises what Buckets and records.stream.open_rows raise.
    """
    ref, prefix, parser = setting.ref, source.listed_prefix, source.parser
    if isinstance(parser, Objects):
        describe = partial(buckets.describe, grant, ref, prefix=prefix, tags=parser.tags)
        yield described(describe, parser, filters, setting, change=change)
        return
    with closing(buckets.open(grant, ref, prefix=prefix)) as body:
        yield open_rows(body, source, filters, setting, encoding=body.encoding, change=change, breaks=breaks, span=span)
