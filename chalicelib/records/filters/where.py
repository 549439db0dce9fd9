"""Where: the rows of which a condition is true, told by Arrow's kernels with SQL's three truth values."""

from chalicelib.config.filters.where import Where
from chalicelib.records.filters.conditions import condition
from chalicelib.records.filters.rows import kept
from chalicelib.records.filters.setting import Given, Step


def where(declared: Where, given: Given) -> Step:
    """Raises ConfigError for a column that is not there, or is compared with what it cannot be compared with."""
    test = condition(declared.predicate, given)
    return Step.of(given.columns, lambda page: kept(page, test(page.batch)))
