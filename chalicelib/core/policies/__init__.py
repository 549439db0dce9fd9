"""IAM policies and what goes with them: what customers and operators paste, and what a session is narrowed down to."""

from chalicelib.core.policies.statements import (
    READ,
    READ_TAGS,
    SESSION_POLICY_LIMIT,
    Policy,
    compact,
    literal,
    role,
    session,
    trust,
)

__all__ = ["READ", "READ_TAGS", "SESSION_POLICY_LIMIT", "Policy", "compact", "literal", "role", "session", "trust"]
