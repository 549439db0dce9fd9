"""Whether a statement allows what another one asks for, as far as patterns and conditions can be compared."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

Statement = Mapping[str, Any]


def listed(value: Any) -> tuple[Any, ...]:
    """IAM takes one value or a list of them."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def matches(pattern: str, text: str, *, ignoring_case: bool = False) -> bool:
    """True if an IAM pattern (`*`, `?`, and `${*}` for the characters themselves) matches the whole text.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
    """
    parts = re.split(r"(\$\{[*?$]\}|[*?])", pattern)
    wild = {"*": ".*", "?": "."}
    literal = {"${*}": "*", "${?}": "?", "${$}": "$"}
    regex = "".join(wild.get(part) or re.escape(literal.get(part, part)) for part in parts)
    return re.fullmatch(regex, text, re.DOTALL | (re.IGNORECASE if ignoring_case else 0)) is not None


def allows(statement: Statement, action: str) -> bool:
    """True if the statement allows the action on something."""
    return statement.get("Effect") == "Allow" and any(
        matches(each, action, ignoring_case=True) for each in listed(statement.get("Action"))
    )


def reaches(statement: Statement, resource: str) -> bool:
    """True if the statement holds for the resource; a trust policy names none."""
    patterns = listed(statement.get("Resource"))
    return not patterns or any(matches(pattern, resource) for pattern in patterns)


def covers(present: Statement, wanted: Statement) -> bool:
    """True if `present` allows all that `wanted` does: it may be wider, and have fewer or looser conditions.

    What cannot be compared counts as not covered.
    """
    return (
        wanted.get("Effect") == "Allow"
        and all(allows(present, action) for action in listed(wanted.get("Action")))
        and all(reaches(present, resource) for resource in listed(wanted.get("Resource")))
        and _names(present.get("Principal"), wanted.get("Principal"))
        and _as_loose(present.get("Condition") or {}, wanted.get("Condition") or {})
    )


def covered(present: Iterable[Statement], wanted: Statement) -> bool:
    """True if one of the statements covers the wanted one. A Deny beside it is not looked for."""
    return any(covers(each, wanted) for each in present)


def _names(present: Any, wanted: Any) -> bool:
    if wanted is None or present == wanted or present == "*":
        return True
    if not isinstance(present, Mapping) or not isinstance(wanted, Mapping):
        return False
    return all(
        set(map(_account, listed(values))) <= set(map(_account, listed(present.get(kind))))
        or "*" in listed(present.get(kind))
        for kind, values in wanted.items()
    )


def _account(principal: str) -> str:
    """An account's id stands for its root's ARN."""
    found = re.fullmatch(r"arn:aws[a-z-]*:iam::(\d{12}):root", principal)
    return found[1] if found else principal


def _as_loose(present: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Each condition of `present` must be one that `wanted` sets too, for at least the same values."""
    sought = {
        key.lower(): [str(value) for value in listed(values)]
        for conditions in wanted.values()
        for key, values in conditions.items()
    }
    return all(
        _takes(operator, [str(value) for value in listed(values)], sought.get(key.lower()))
        for operator, conditions in present.items()
        for key, values in conditions.items()
    )


def _takes(operator: str, patterns: list[str], values: list[str] | None) -> bool:
    if values is None:
        return False
    ignoring_case = operator.endswith("IgnoreCase")
    if operator in ("StringEquals", "StringEqualsIgnoreCase"):
        return all(any(_same(p, value, ignoring_case) for p in patterns) for value in values)
    if operator in ("StringLike", "ArnLike", "ArnEquals"):
        return all(any(p == value or matches(p, value) for p in patterns) for value in values)
    return False


def _same(one: str, other: str, ignoring_case: bool) -> bool:
    return one.lower() == other.lower() if ignoring_case else one == other
