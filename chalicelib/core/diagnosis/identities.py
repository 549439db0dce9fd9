"""Who we are, and whether the keys that somebody pasted still hold."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.config.connection import Connection
from chalicelib.core.diagnosis.answers import Answer, is_of, quoted
from chalicelib.core.diagnosis.words import network
from chalicelib.core.findings import Finding, Verdict
from chalicelib.core.health import Health
from chalicelib.core.keys import Keys

SOON = timedelta(hours=2)  # so long before they end, pasted keys are worth a warning


def ourselves(answer: Answer, functions: Sequence[str], *, matters: bool) -> Finding:
    """Whom AWS takes us for. `matters`: the connection lets in whom it names, so that functions fare otherwise."""
    failed = network("identity", answer)
    if failed is not None:
        return failed
    if not answer.ok:
        return Finding("identity", Verdict.FAIL, answer.words, "Check what AWS_PROFILE or the environment signs with")
    arn = answer.said.get("arn", "")
    evidence = f"these probes are made as {quoted(arn)}"
    if matters and functions and not any(is_of(arn, role) for role in functions):
        advice = (
            f"The functions run as {', '.join(functions)}: what is refused here may be allowed to them, and the other "
            "way round, wherever a policy names a role"
        )
        return Finding("identity", Verdict.WARN, evidence, advice)
    return Finding("identity", Verdict.OK, evidence)


def doubted(finding: Finding) -> Finding:
    """A step that was refused to somebody else than the functions: what it misses may be there already."""
    if finding.verdict is not Verdict.FAIL or not finding.missing:
        return finding
    doubt = (
        "If it is there already: the functions are let in, and not who asks here; the steps `access at rest` and "
        "`arrivals`, and `tidegate objects`, tell how they fare"
    )
    return replace(finding, advice=f"{finding.advice}. {doubt}")


def access(health: Health) -> Finding:
    """What the last loads and sweeps met with (F13)."""
    if health.failing_since is None:
        return Finding("access at rest", Verdict.OK, "no load or sweep was refused the last time")
    evidence = (
        f"refused since {health.failing_since:%Y-%m-%d %H:%M:%S} UTC: {quoted(health.reason or 'no reason kept')}"
    )
    return Finding(
        "access at rest", Verdict.WARN, evidence, "Once it works it is taken up again by itself, within the hour"
    )


def keys(connection: Connection, kept: Keys | None, now: datetime) -> Finding | None:
    """Whether the keys are there and still hold; None if the method needs none."""
    if not connection.needs_keys:
        return None
    edit = f"`tidegate connection edit {connection.name}`"
    if kept is None:
        return Finding("keys", Verdict.FAIL, "nothing is kept for this connection", f"Paste them with {edit}")
    if kept.expires_at is None:
        return Finding("keys", Verdict.OK, "they are kept; nobody said that they end")
    left, at = kept.expires_at - now, f"{kept.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    if left <= timedelta():
        return Finding("keys", Verdict.FAIL, f"they ended at {at}", f"Paste new ones with {edit}")
    verdict = Verdict.WARN if left < SOON else Verdict.OK
    return Finding("keys", verdict, f"they end at {at}", f"Paste new ones with {edit} before" if left < SOON else "")


def holder(connection: Connection, answer: Answer) -> Finding:
    """Whose keys they are."""
    edit = f"Paste keys that hold with `tidegate connection edit {connection.name}`"
    failed = network("keys' holder", answer, keys=edit)
    if failed is not None:
        return failed
    if not answer.ok:
        return Finding("keys' holder", Verdict.FAIL, answer.words, edit)
    return Finding(
        "keys' holder", Verdict.OK, f"AWS knows the keys: they are those of {quoted(answer.said.get('arn', ''))}"
    )
