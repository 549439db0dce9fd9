"""Whether the role lets us in, and nobody who does not know the external id."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from chalicelib.config.access.roles import AssumeRole, ThroughRole, ThroughUser
from chalicelib.core.diagnosis.answers import Answer, Refusal, Source, refusal
from chalicelib.core.diagnosis.candidates import candidates
from chalicelib.core.diagnosis.coverage import listed
from chalicelib.core.diagnosis.words import network, to_add, who_must_act
from chalicelib.core.findings import Finding, Missing, Verdict
from chalicelib.core.policies.sheets import Place, Sheet, statements

OURS = (
    "AWS says that it is our own side: whoever asks here needs sts:AssumeRole (with session tags sts:TagSession, with "
    "a source identity sts:SetSourceIdentity) on {role}. Tidegate's functions have it by their template"
)
ASSUME, TAG, IDENTIFY = "sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"


class ExternalId(StrEnum):
    """What an attempt says that the external id is."""

    RIGHT = "right"
    WRONG = "wrong"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to ask STS for the role."""

    external_id: ExternalId = ExternalId.RIGHT
    tags: bool = True  # with the connection's session tags, if it has any
    source_identity: bool = True
    seconds: int | None = None  # None: the connection's


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What STS answered to less, after it had refused the whole; None: not asked."""

    bare: Answer | None = None  # neither tags nor source identity
    tagged: Answer | None = None  # with tags, without source identity
    identified: Answer | None = None  # with source identity, without tags


def assumed(
    connection: AssumeRole, answer: Answer, sheets: Sequence[Sheet], narrowed: Narrowed | None = None
) -> Finding:
    """Whether the role can be assumed as the connection says (E26, E27, E30)."""
    step = "assume role"
    failed = network(step, answer, keys=_whose_keys(connection))
    if failed is not None:
        return failed
    if answer.ok:
        return Finding(step, Verdict.OK, f"{connection.role} was assumed as session {connection.session_name}")
    if answer.code == "RegionDisabledException":
        advice = "Activate STS in this region in the account that asks, or set the connection's sts_region to another"
        return Finding(step, Verdict.FAIL, answer.words, advice)
    if not answer.denied:
        return Finding(step, Verdict.FAIL, answer.words, "Check the connection's role, session_name, session_tags")
    return _denied(connection, answer, sheets, narrowed or Narrowed())


def too_long(answer: Answer) -> bool:
    """True if STS refused nothing but the session's length."""
    return answer.code == "ValidationError" and "DurationSeconds" in answer.message


def session_length(connection: AssumeRole, answer: Answer) -> Finding:
    """Whether the role gives sessions as long as the connection asks for (F3, E26)."""
    seconds = connection.duration_in_seconds
    if not too_long(answer):
        return Finding("session length", Verdict.OK, f"the role gives sessions of {seconds} s")
    if "chaining" in answer.message:
        advice = "Set the connection's duration_in_seconds to 3600: AWS gives chained roles one hour"
    else:
        role = connection.role.rpartition("/")[2]
        advice = (
            f"Lower the connection's duration_in_seconds, or have the customer raise the role's maximum: "
            f"aws iam update-role --role-name {role} --max-session-duration {seconds}"
        )
    return Finding("session length", Verdict.FAIL, answer.words, advice)


def between(connection: AssumeRole, answer: Answer, sheets: Sequence[Sheet]) -> Finding:
    """Whether the role in between, which is ours, can be assumed."""
    step = "role in between"
    assert isinstance(connection.through, ThroughRole)
    role = connection.through.role_arn
    failed = network(step, answer)
    if failed is not None:
        return failed
    if answer.ok:
        return Finding(step, Verdict.OK, f"{role} was assumed")
    told = refusal(answer)
    found = candidates(sheets, ASSUME, told=told) if answer.denied else ()
    missing = tuple(each for each in found if each.target == role and _is_trust(each))
    if told.source is Source.IDENTITY:
        return Finding(step, Verdict.FAIL, answer.words, OURS.format(role=role))
    return Finding(step, Verdict.FAIL, answer.words, to_add(missing, connection.name), missing)


def external_id(connection: AssumeRole, without: Answer, wrong: Answer, sheets: Sequence[Sheet]) -> Finding:
    """The confused deputy: whoever talks us into using this role's ARN must not get in by it (F5).

    https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """
    step = "external id"
    let_in = [words for words, answer in (("without any", without), ("with a wrong one", wrong)) if answer.ok]
    if let_in:
        asked = tuple(each for each in candidates(sheets, ASSUME, told=Refusal(source=Source.TRUST)) if _demands(each))
        missing = tuple(each for each in asked if each.target == connection.role) or asked
        return Finding(
            step,
            Verdict.WARN,
            f"STS gave the role {' and '.join(let_in)}: the trust policy does not demand the external id",
            "Confused deputy: anybody who gets us to use this role's ARN reads the bucket through us. Put the "
            "condition on sts:ExternalId into the trust policy; no other statement there may let us in without it",
            missing,
        )
    if without.denied and wrong.denied:
        return Finding(step, Verdict.OK, "STS refuses the role without the external id, and with a wrong one")
    odd = next(answer for answer in (without, wrong) if not answer.denied)
    return Finding(step, Verdict.SKIPPED, f"it could not be asked: {odd.words}")


def demands_external_id(connection: AssumeRole, sheets: Sequence[Sheet]) -> bool:
    """True if our own sheets put a condition on the external id into this role's trust policy."""
    trusts = [sheet for sheet in sheets if sheet.target == connection.role]
    return any(_condition(each) for sheet in trusts for each in statements(sheet))


def _denied(connection: AssumeRole, answer: Answer, sheets: Sequence[Sheet], narrowed: Narrowed) -> Finding:
    told = refusal(answer)
    whose = f"account {connection.account}, or our own,"
    act = who_must_act(told, whose=whose)
    if act is not None:
        return Finding("assume role", Verdict.FAIL, answer.words, act)
    found: list[Missing] = []
    for action in _refused(connection, told.action, narrowed):
        found += _of_role(connection, candidates(sheets, action, told=told), told.source)
    missing = tuple({(each.kind, each.sid, each.target): each for each in found}.values())
    if told.source is Source.IDENTITY and not missing:
        return Finding("assume role", Verdict.FAIL, answer.words, OURS.format(role=connection.role))
    advice = to_add(missing, connection.name)
    if missing and told.source is Source.UNTOLD and not narrowed.bare:
        advice += (
            f". STS gives the same answer if {connection.role} does not exist, or if the trust policy names another "
            "principal, external id or session name than the connection has"
        )
    return Finding("assume role", Verdict.FAIL, answer.words, advice, missing)


def _refused(connection: AssumeRole, named: str, narrowed: Narrowed) -> list[str]:
    """The actions that were refused, the likeliest first."""
    if not _is_ok(narrowed.bare):
        return list(dict.fromkeys((named or ASSUME, ASSUME)))
    found = []
    if connection.session_tags and not _is_ok(narrowed.tagged):
        found.append(TAG)
    if connection.source_identity and not _is_ok(narrowed.identified):
        found.append(IDENTIFY)
    return found or [named or ASSUME]


def _is_ok(answer: Answer | None) -> bool:
    return answer is not None and answer.ok


def _of_role(connection: AssumeRole, found: tuple[Missing, ...], source: Source) -> tuple[Missing, ...]:
    """Those that open this role: its trust policy, and policies of whoever asks; not the trust of one in between."""
    fits = tuple(each for each in found if each.target == connection.role or not _is_trust(each))
    if source is not Source.IDENTITY or _trust_suffices(connection):
        return fits
    return tuple(each for each in fits if not _is_trust(each))


def _trust_suffices(connection: AssumeRole) -> bool:
    """True if whoever asks is of the role's own account: AWS then blames its own policy, and the trust policy heals.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics-single-account.html
    """
    through = connection.through
    return isinstance(through, ThroughUser) and through.user_arn.split(":")[4] == connection.account


def _is_trust(each: Missing) -> bool:
    return each.place == Place.ROLE_TRUST


def _condition(statement: dict[str, object]) -> bool:
    conditions = statement.get("Condition")
    return isinstance(conditions, dict) and any("sts:ExternalId" in listed(list(each)) for each in conditions.values())


def _demands(each: Missing) -> bool:
    return _condition(each.statement)


def _whose_keys(connection: AssumeRole) -> str:
    if isinstance(connection.through, ThroughUser):
        return f"Paste keys of {connection.through.user_arn} that hold: `tidegate connection edit {connection.name}`"
    return ""
