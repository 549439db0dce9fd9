"""Trust: who may become the role that reads, and how they must ask."""

from typing import Any

from chalicelib.config.access.roles import CHAINED_SECONDS, AssumeRole, ThroughRole, ThroughUser
from chalicelib.core.policies.parties import account_of, made, named, our_functions, root, seat
from chalicelib.core.policies.sheets import Facts, Kind, Place, Sheet, within
from chalicelib.core.policies.statements import allow, aws, one_or_more, policy

LIMIT = 2048  # characters of a trust policy, a quota that AWS raises to 4,096 when asked
SHORTER = "Take away some of `session_tags`, or shorten them"


def trust_sheets(facts: Facts) -> tuple[Sheet, ...]:
    """Trust policies on the way to the role, and what those on the way must be allowed; nearest to us first."""
    connection = facts.grant.connection
    if not isinstance(connection, AssumeRole):
        return ()
    between = _role_between(facts, connection) if isinstance(connection.through, ThroughRole) else ()
    user = _user_between(facts, connection) if isinstance(connection.through, ThroughUser) else ()
    return (*between, _trust(facts, connection), *user)


def session_principal(through: ThroughRole, session_name: str) -> str:
    """One session of a role, as a principal: without the role's path (E27)."""
    partition, account, name = (through.role_arn.split(":")[i] for i in (1, 4, 5))
    return (
        f"arn:{partition}:sts::{account}:assumed-role/{name.rpartition('/')[2]}/{through.session_name or session_name}"
    )


def _trust(facts: Facts, connection: AssumeRole) -> Sheet:
    """The role that reads. https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html

    A role may serve several connections: each has statements of its own, with its own external id.
    """
    principal = aws(_callers(facts, connection))
    statements = [
        allow(named(facts, sid), action, None, condition, principal=principal)
        for sid, action, condition in _asking(facts, connection)
    ]
    document = within(policy(*statements), LIMIT, f"the trust policy of {connection.role}", facts, SHORTER)
    place = seat(connection.account, facts)
    seconds = connection.duration_in_seconds
    return Sheet(
        Kind.TRUST,
        Place.ROLE_TRUST,
        place,
        connection.account,
        connection.role,
        document,
        note=_note(facts),
        session_seconds=seconds if seconds > CHAINED_SECONDS else None,
    )


def _asking(facts: Facts, connection: AssumeRole) -> list[tuple[str, str, dict[str, Any]]]:
    """What the role lets its callers do, each with the condition: assume it, tag the session, say who is behind it."""
    conditions = {"sts:ExternalId": facts.grant.external_id}
    if connection.session_name != AssumeRole.model_fields["session_name"].default:
        conditions["sts:RoleSessionName"] = connection.session_name
    asking: list[tuple[str, str, dict[str, Any]]] = [("AssumeRole", "sts:AssumeRole", {"StringEquals": conditions})]
    if connection.session_tags:
        asking.append(("TagSession", "sts:TagSession", _tags(connection.session_tags)))
    if connection.source_identity is not None:
        same = {"StringEquals": {"sts:SourceIdentity": connection.source_identity}}
        asking.append(("SetSourceIdentity", "sts:SetSourceIdentity", same))
    return asking


def _tags(tags: dict[str, str]) -> dict[str, Any]:
    """These tags with these values, and no others."""
    return {
        "StringEquals": {f"aws:RequestTag/{key}": value for key, value in tags.items()},
        "ForAllValues:StringEquals": {"aws:TagKeys": list(tags)},
    }


def _callers(facts: Facts, connection: AssumeRole) -> tuple[str, ...]:
    """Whom the role trusts."""
    through = connection.through
    if isinstance(through, ThroughUser):
        return (through.user_arn,)
    if isinstance(through, ThroughRole):
        whole = through.principal == "role"
        return (through.role_arn if whole else session_principal(through, connection.session_name),)
    own = connection.account == facts.ours
    return our_functions(facts) if own else (root(facts.ours, connection.partition),)


def _note(facts: Facts) -> str:
    connection = facts.grant.connection
    assert isinstance(connection, AssumeRole)
    through, notes = connection.through, []
    if isinstance(through, ThroughUser) and account_of(through.user_arn) == connection.account:
        notes.append("The user needs no policy: it is of the role's own account, and this trust policy names it.")
    if connection.duration_in_seconds > CHAINED_SECONDS:
        notes.append(f"The role's maximum session duration must be {connection.duration_in_seconds} seconds or more.")
    if isinstance(through, ThroughRole) and through.principal == "session":
        notes.append("Session and role must keep their names: whoever renames one shuts the door.")
    return " ".join(notes)


def _role_between(facts: Facts, connection: AssumeRole) -> tuple[Sheet, ...]:
    """The role that we assume first: our functions may become it, and it may become the role that reads."""
    through = connection.through
    assert isinstance(through, ThroughRole)
    account = account_of(through.role_arn)
    trusting = policy(allow("AssumeRole", "sts:AssumeRole", None, principal=aws(our_functions(facts))))
    place = seat(account, facts)
    return (
        Sheet(Kind.TRUST, Place.ROLE_TRUST, place, account, through.role_arn, trusting),
        Sheet(
            Kind.ROLE,
            Place.ROLE_POLICY,
            place,
            account,
            through.role_arn,
            _becoming(connection),
            name=made(facts),
        ),
    )


def _user_between(facts: Facts, connection: AssumeRole) -> tuple[Sheet, ...]:
    """A user of another account than the role's needs its own account's consent too; one of the same account does not.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
    """
    through = connection.through
    assert isinstance(through, ThroughUser)
    account = account_of(through.user_arn)
    if account == connection.account:
        return ()
    place, document = seat(account, facts), _becoming(connection)
    return (Sheet(Kind.ROLE, Place.USER_POLICY, place, account, through.user_arn, document, name=made(facts)),)


def _becoming(connection: AssumeRole) -> dict[str, Any]:
    """What whoever assumes the role must be allowed by its own account: this role, and nothing else."""
    actions = ["sts:AssumeRole"]
    actions += ["sts:TagSession"] if connection.session_tags else []
    actions += ["sts:SetSourceIdentity"] if connection.source_identity is not None else []
    return policy(allow("AssumeRole", one_or_more(actions), connection.role))
