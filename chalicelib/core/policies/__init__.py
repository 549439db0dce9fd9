"""IAM policies and what goes with them: what customers and operators paste, and what a session is narrowed down to."""

from chalicelib.core.policies.recipes import Recipe, absence, recipe, sheets
from chalicelib.core.policies.session import SESSION_POLICY_LIMIT, passage, session
from chalicelib.core.policies.sheets import Facts, Kind, Place, Read, Seat, Sheet, statements
from chalicelib.core.policies.statements import READ, READ_TAGS, Policy, compact, literal

__all__ = [
    "READ",
    "READ_TAGS",
    "SESSION_POLICY_LIMIT",
    "Facts",
    "Kind",
    "Place",
    "Policy",
    "Read",
    "Recipe",
    "Seat",
    "Sheet",
    "absence",
    "compact",
    "literal",
    "passage",
    "recipe",
    "session",
    "sheets",
    "statements",
]
