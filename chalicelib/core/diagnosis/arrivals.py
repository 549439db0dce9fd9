"""Whether the bucket tells us of its objects: its configuration, our queue's policy, and what has arrived so far."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus

from chalicelib.config.connection import Connection
from chalicelib.core.diagnosis.answers import Answer
from chalicelib.core.diagnosis.candidates import of_kinds, uncovered
from chalicelib.core.diagnosis.coverage import listed
from chalicelib.core.diagnosis.words import to_add
from chalicelib.core.findings import Finding, Missing, Verdict
from chalicelib.core.policies.sheets import Kind, Place, Read, Sheet

CREATED = "s3:ObjectCreated:"
FIRST = (Place.BUCKET_NOTIFICATION, Place.SUBSCRIPTION, Place.RULE)  # forgotten more often than the others
KINDS = frozenset(f"{CREATED}{way}" for way in ("Put", "Post", "Copy", "CompleteMultipartUpload"))
_TARGETS = (
    ("QueueConfigurations", "QueueArn"),
    ("TopicConfigurations", "TopicArn"),
    ("LambdaFunctionConfigurations", "LambdaFunctionArn"),
)
OWNERLESS = "nobody told whose the bucket is, so that it cannot be seen whether its events are let in"
LATE = timedelta(minutes=10)  # S3 delivers within seconds, sometimes a minute; a new configuration takes five


@dataclass(frozen=True, slots=True)
class Told:
    """Where one entry of a notification configuration sends which events."""

    target: str
    events: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""

    @property
    def whole(self) -> bool:
        """True if it tells of every way in which an object is created."""
        return f"{CREATED}*" in self.events or frozenset(self.events) >= KINDS

    @property
    def created(self) -> bool:
        """True if it tells of some."""
        return any(event.startswith(CREATED) for event in self.events)


def told(configuration: Mapping[str, Any]) -> tuple[Told, ...]:
    """The entries of S3's answer to GetBucketNotificationConfiguration."""
    return tuple(
        Told(str(entry.get(arn, "")), tuple(listed(entry.get("Events"))), *_filters(entry))
        for kind, arn in _TARGETS
        for entry in configuration.get(kind, ())
    )


def configured(
    connection: Connection, bucket: str, reads: Sequence[Read], answer: Answer, queue: str, sheets: Sequence[Sheet]
) -> Finding:
    """Whether the bucket's events of all pipelines' prefixes go where they should (E23).

    Reading it takes s3:GetBucketNotification, which the printed policies do not ask for.
    """
    step, subject = "notification", f"s3://{bucket}"
    if connection.notify_by == "none":
        return Finding(
            step, Verdict.SKIPPED, "the connection wants none (notify_by): sweeps find objects", subject=subject
        )
    if answer.denied or not answer.ok:
        advice = (
            "The printed policies do not ask for s3:GetBucketNotification, and need not. By hand: compare `aws s3api "
            f"get-bucket-notification-configuration --bucket {bucket}` in the customer's account with `tidegate policy "
            f"{connection.name} notification`"
        )
        return Finding(step, Verdict.SKIPPED, f"we may not look: {answer.words}", advice, subject=subject)
    if connection.notify_by == "eventbridge":
        return _bridged(connection, subject, answer, sheets)
    entries = told(answer.document or {})
    ours = [each for each in entries if _is_ours(connection, each, queue)]
    return _aimed(connection, subject, reads, ours, [each for each in entries if each not in ours], sheets)


def policed(connection: Connection, answer: Answer, sheets: Sequence[Sheet]) -> Finding:
    """Whether our queue lets the bucket's events in."""
    step = "queue policy"
    queues = [sheet for sheet in sheets if sheet.place is Place.QUEUE_POLICY]
    if not queues:
        return Finding(step, Verdict.SKIPPED, "nothing is sent to our queue over this connection")
    if "NonExistentQueue" in answer.code or "QueueDoesNotExist" in answer.code:
        evidence = f"there is no such queue: {queues[0].target}"
        return Finding(step, Verdict.WARN, evidence, "Check TIDEGATE_STACK and AWS_REGION, and that it is deployed")
    if not answer.ok:
        advice = f"Compare the queue's policy with `tidegate policy {connection.name} queue`"
        return Finding(step, Verdict.SKIPPED, f"we may not look: {answer.words}", advice)
    present = listed((answer.document or {}).get("Statement"))
    missing = tuple(each for sheet in queues for each in uncovered(sheet, present))
    if not missing:
        return Finding(step, Verdict.OK, "it lets the bucket's events in")
    evidence = (
        f"{len(present)} statement{'' if len(present) == 1 else 's'}, none of which lets this connection's events in"
    )
    if connection.notify_by == "sqs" and not any("aws:SourceAccount" in str(each.statement) for each in missing):
        return Finding(step, Verdict.WARN, OWNERLESS, _whose(connection.name), missing)
    return Finding(step, Verdict.FAIL, evidence, to_add(missing, connection.name), missing)


def _whose(name: str) -> str:
    told = f"Say whose it is: `tidegate connection edit {name} --bucket-owner ACCOUNT`"
    return f"{told}, and have that account in the stack's parameter SenderAccounts; or add the statement below"


@dataclass(frozen=True, slots=True)
class Heard:
    """What one pipeline was told, and what lies in its bucket."""

    pipeline: str
    since: datetime | None  # its last job that a notification woke; None: none of the newest jobs
    newest: datetime | None  # of the objects that were listed; None: nothing was


def arrived(
    connection: Connection,
    bucket: str,
    heard: Sequence[Heard],
    sheets: Sequence[Sheet],
    now: datetime,
    sound: Collection[Place] = (),
) -> Finding:
    """Whether notifications come: what was written after the last one, and is not new, was not told of.

    `sound`: places that were looked at, and are as they should be.
    """
    step, subject = "arrivals", f"s3://{bucket}"
    if connection.notify_by == "none":
        return Finding(step, Verdict.SKIPPED, "the connection wants none (notify_by)", subject=subject)
    if not heard:
        return Finding(step, Verdict.SKIPPED, "no pipeline reads this bucket yet", subject=subject)
    silent = [each for each in heard if _is_silent(each, now)]
    if not silent:
        spoke = [f"{each.pipeline}: {each.since:%Y-%m-%d %H:%M:%S} UTC" for each in heard if each.since is not None]
        if not spoke:
            evidence = "none has come yet, and no object was there long enough to be told of"
            return Finding(step, Verdict.SKIPPED, evidence, "Have an object uploaded, and look again", subject=subject)
        return Finding(step, Verdict.OK, f"the last one came: {', '.join(spoke)}", subject=subject)
    missing = _chain(sheets, bucket, sound)
    words = [f"{each.pipeline} (last told {_when(each.since)}, newest object {_when(each.newest)})" for each in silent]
    advice = f"{to_add(missing, connection.name)}. Sweeps find the objects meanwhile"
    return Finding(step, Verdict.WARN, f"no notification came for {', '.join(words)}", advice, missing, subject)


def _is_silent(heard: Heard, now: datetime) -> bool:
    if heard.newest is None or heard.newest > now - LATE:
        return False
    return heard.since is None or heard.since + LATE < heard.newest


def _chain(sheets: Sequence[Sheet], bucket: str, sound: Collection[Place]) -> tuple[Missing, ...]:
    """All that an event passes on its way, from the bucket on; what is known to be well is left out."""
    there = [sheet for sheet in sheets if sheet.place is not Place.BUCKET_NOTIFICATION or sheet.target == bucket]
    there = [sheet for sheet in there if sheet.place not in sound]
    there.sort(key=lambda sheet: FIRST.index(sheet.place) if sheet.place in FIRST else len(FIRST))
    return tuple(of_kinds(there, (Kind.NOTIFICATION,))) + tuple(of_kinds(there, (Kind.QUEUE,)))


def _bridged(connection: Connection, subject: str, answer: Answer, sheets: Sequence[Sheet]) -> Finding:
    if "EventBridgeConfiguration" in (answer.document or {}):
        evidence = "the bucket tells EventBridge; its rules are the customer's, and not ours to read"
        return Finding("notification", Verdict.OK, evidence, subject=subject)
    return _lacking(connection, subject, "the bucket does not tell EventBridge", sheets)


def _aimed(
    connection: Connection,
    subject: str,
    reads: Sequence[Read],
    ours: Sequence[Told],
    others: Sequence[Told],
    sheets: Sequence[Sheet],
) -> Finding:
    untold = [read for read in reads if not any(_tells(each, read.prefix) for each in ours)]
    if not reads and not ours:
        untold = [Read(subject.removeprefix("s3://"))]
    if not untold:
        targets = ", ".join(sorted({each.target for each in ours}))
        return Finding("notification", Verdict.OK, f"all created objects are told to {targets}", subject=subject)
    prefixes = ", ".join(repr(read.prefix) for read in untold)
    crossing = [each for each in others if each.created and any(_overlap(each.prefix, r.prefix) for r in untold)]
    advice = ""
    if crossing:
        whose = ", ".join(f"{each.target} ({each.prefix!r})" for each in crossing)
        advice = (
            f"S3 takes no second configuration for overlapping prefixes, and {whose} has one: let both hear one SNS "
            "topic, or EventBridge (the connection's notify_by)"
        )
    evidence = f"created objects under {prefixes} are not told to us"
    return _lacking(connection, subject, evidence, sheets, advice)


def _lacking(connection: Connection, subject: str, evidence: str, sheets: Sequence[Sheet], advice: str = "") -> Finding:
    bucket = subject.removeprefix("s3://")
    places = [s for s in sheets if s.place is Place.BUCKET_NOTIFICATION and s.target == bucket]
    missing = tuple(of_kinds(places, (Kind.NOTIFICATION,)))
    add = f"Add what `tidegate policy {connection.name} notification` prints to the bucket's notification configuration"
    return Finding("notification", Verdict.FAIL, evidence, advice or add, missing, subject)


def _is_ours(connection: Connection, entry: Told, queue: str) -> bool:
    """Our queue; with SNS any topic, since which of them our queue hears is the customer's affair."""
    return ":sns:" in entry.target if connection.notify_by == "sns" else entry.target == queue


def _tells(entry: Told, prefix: str) -> bool:
    return entry.whole and prefix.startswith(entry.prefix) and not entry.suffix


def _overlap(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _filters(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Prefix and suffix as keys have them; in the configuration they stand percent-encoded."""
    rules = entry.get("Filter", {}).get("Key", {}).get("FilterRules", ())
    found = {str(rule.get("Name", "")).lower(): str(rule.get("Value", "")) for rule in rules}
    return unquote_plus(found.get("prefix", "")), unquote_plus(found.get("suffix", ""))


def _when(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
