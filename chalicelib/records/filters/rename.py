"""Rename and sanitize: other names, the same values (F77)."""

import re
import unicodedata
from collections import defaultdict
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from chalicelib.config.filters.rename import (
    CharacterTypes,
    FirstCharacterTypes,
    LowerToUpper,
    RegexReplace,
    Rename,
    Rule,
    Sanitize,
    Truncate,
    UniqueNumberSuffix,
    UpperToLower,
)
from chalicelib.config.patterns import compiled
from chalicelib.records.filters.setting import Given, Step
from chalicelib.records.pages import Page

MAX_LENGTH = 128  # characters of a sanitized name
_UNIQUE = UniqueNumberSuffix(rule="unique_number_suffix", max_length=MAX_LENGTH)
_HUMP = re.compile(r"([a-z0-9])([A-Z])|([A-Z])(?=[A-Z][a-z])")
_OTHERS = re.compile(r"[^a-z0-9_]+")
_UPPER = str.maketrans(ascii_lowercase, ascii_uppercase)
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
_REFERENCE = re.compile(r"\\(.)|\$([0-9])", re.DOTALL)


def rename(declared: Rename, given: Given) -> Step:
    """Names by hand, then by the rules. Raises ConfigError if two end the same, or one is empty."""
    for name in declared.columns:
        given.index(name)
    names = [declared.columns.get(column.name, column.name) for column in given.columns]
    for rule in declared.rules:
        names = _ruled(names, rule, given)
    return _named(names, given)


def sanitize(declared: Sanitize, given: Given) -> Step:
    """Names that every table takes."""
    return _named(unique([_sane(column.name) for column in given.columns], _UNIQUE), given)


def unique(names: list[str], rule: UniqueNumberSuffix) -> list[str]:
    """Each name as it is, cut, unless it stands further left; otherwise with a number that makes it new.

    Numbers are counted per name; none gives a name that another column began with.
    """
    originals, fixed = set(names), dict[str, None]()
    numbers: dict[str, int] = defaultdict(lambda: rule.offset)
    for name in names:
        new = name[: rule.max_length]
        while new in fixed or (new != name[: rule.max_length] and new in originals):
            numbers[name] += 1
            suffix = rule.delimiter + str(numbers[name]).zfill(rule.digits or 1)
            room = None if rule.max_length is None else max(rule.max_length - len(suffix), 0)
            new = name[:room] + suffix
        fixed[new] = None
    return list(fixed)


def _named(names: list[str], given: Given) -> Step:
    if "" in names:
        raise given.error(f"{given.columns[names.index('')].name} would have an empty name")
    columns = tuple(column.model_copy(update={"name": name}) for column, name in zip(given.columns, names, strict=True))
    given.distinct(columns)
    return Step.of(columns, lambda page: Page(page.batch.rename_columns(names), page.rejects, page.records))


def _ruled(names: list[str], rule: Rule, given: Given) -> list[str]:
    match rule:
        case UniqueNumberSuffix():
            return unique(names, rule)
        case LowerToUpper():
            return [name.translate(_UPPER) for name in names]
        case UpperToLower():
            return [name.translate(_LOWER) for name in names]
        case Truncate():
            return [name[: rule.max_length] for name in names]
        case CharacterTypes():
            return ["".join(sign if rule.passes(sign) else rule.replace for sign in name) for name in names]
        case FirstCharacterTypes():
            return [_first(name, rule) for name in names]
    return _replaced(names, rule, given)


def _first(name: str, rule: FirstCharacterTypes) -> str:
    if not name or rule.passes(name[0]):
        return name
    return rule.prefix + name if rule.prefix is not None else f"{rule.replace}{name[1:]}"


def _replaced(names: list[str], rule: RegexReplace, given: Given) -> list[str]:
    pattern = compiled(rule.match)
    groups = [int(reference[2]) for reference in _REFERENCE.finditer(rule.replace) if reference[2] is not None]
    if any(group > pattern.groups for group in groups):
        raise given.error(f"{rule.replace!r} names a group that {rule.match!r} does not have")

    def replacement(match: Any) -> str:
        return _REFERENCE.sub(
            lambda reference: str(reference[1] if reference[2] is None else match[int(reference[2])] or ""),
            rule.replace,
        )

    return [str(pattern.sub(replacement, name)) for name in names]


def _sane(name: str) -> str:
    snake = _HUMP.sub(lambda hump: f"{hump[1]}_{hump[2]}" if hump[1] else f"{hump[3]}_", name)
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", snake.casefold()) if not unicodedata.combining(sign))
    left = _OTHERS.sub("_", plain)
    left = left if plain[:1] == "_" else left.lstrip("_")
    left = left if plain[-1:] == "_" else left.rstrip("_")
    return f"_{left}" if not left or left[0].isdigit() else left
