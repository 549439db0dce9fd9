"""S3's word that an object exists, in whatever envelope it comes: SQS body to notices.

Three shapes arrive: the plain S3 notification, the same inside an SNS envelope, and EventBridge's "Object Created".
A notification is a hint. Nothing in it is trusted but which object to look at; the bytes are read pinned to it.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html (F40–F42, E17–E21).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from chalicelib.core.listing import MAX_KEY
from chalicelib.core.objects import DOUBT, UNKNOWN_TIME, ObjectRef, Removal
from chalicelib.errors import BadMessage

CREATED = "ObjectCreated:"
RESTORED = "ObjectRestore:Completed"
REMOVED = ("ObjectRemoved:", "LifecycleExpiration:")
MAX_SIZE = 1 << 50  # bytes; S3's own limit is 50 TB
MAX_ENVELOPES = 3  # SNS in SQS is two; a message that nests deeper is nobody's


@dataclass(frozen=True, slots=True)
class Notices:
    """What one message says."""

    created: tuple[ObjectRef, ...] = ()
    removed: tuple[Removal, ...] = ()
    ignored: int = 0  # records that say something else
    broken: BadMessage | None = None  # a record that could not be read, beside others that could

    def by(self, now: datetime) -> "Notices":
        """The same, nothing of it later than now: what somebody dates into the future would outrank all that comes."""

        def past(time: datetime) -> datetime:
            return time if time <= now + DOUBT else now

        created = (replace(ref, created_at=past(ref.created_at)) for ref in self.created)
        shown = (ref if ref.listed_at is None else replace(ref, listed_at=past(ref.listed_at)) for ref in created)
        removed = (replace(removal, removed_at=past(removal.removed_at)) for removal in self.removed)
        return replace(self, created=tuple(shown), removed=tuple(removed))


def parse(body: str) -> Notices:
    """The notices in one queue message.

    Raises BadMessage for anything that is no S3 notification; `s3:TestEvent` is one that says nothing (E20).
    """
    document = _unwrapped(body)
    if document.get("Event") == "s3:TestEvent":
        return Notices(ignored=1)
    if document.get("Type") == "SubscriptionConfirmation":
        raise _bad("an SNS topic asks us to confirm a subscription; open the SubscribeURL in it", body)
    if isinstance(document.get("Records"), list):
        notices = [_read(_from_s3, record, body) for record in document["Records"]]
    elif document.get("source") == "aws.s3" and "detail-type" in document:
        notices = [_read(_from_eventbridge, document, body)]
    else:
        raise _bad("it is no S3 notification", body)
    broken = next((notice.broken for notice in notices if notice.broken is not None), None)
    if broken is not None and all(notice.broken is not None for notice in notices):
        raise broken
    return Notices(
        created=tuple(ref for notice in notices for ref in notice.created),
        removed=tuple(removal for notice in notices for removal in notice.removed),
        ignored=sum(notice.ignored for notice in notices),
        broken=broken,
    )


def _read(reader: Callable[[Mapping[str, Any]], Notices], record: Mapping[str, Any], body: str) -> Notices:
    """One record's notice; one that cannot be read does not keep the others from being done (P6)."""
    try:
        return reader(record)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        return Notices(broken=_bad(f"a record is incomplete or malformed ({type(error).__name__}: {error})", body))


def _unwrapped(body: str) -> Mapping[str, Any]:
    text: Any = body
    for _ in range(MAX_ENVELOPES):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            raise _bad("it is not JSON", body) from None
        if not isinstance(document, dict):
            raise _bad("it is not a JSON object", body)
        if document.get("Type") == "Notification" and isinstance(document.get("Message"), str):
            text = document["Message"]
            continue
        return document
    raise _bad("envelopes are nested too deep", body)


def _from_s3(record: Mapping[str, Any]) -> Notices:
    event = str(record["eventName"]).removeprefix("s3:")
    if event.startswith(CREATED):
        return Notices(created=(_s3_object(record),))
    if event.startswith(RESTORED):
        return Notices(created=(_restored(_s3_object(record)),))
    if event.startswith(REMOVED):
        return Notices(removed=(_s3_removal(record, marker=event.endswith("DeleteMarkerCreated")),))
    return Notices(ignored=1)


def _restored(ref: ObjectRef) -> ObjectRef:
    """An archived object that can be read again. When it was written is not told.

    Without versions it is what the key holds now, as a listing would show it. One of several versions may be any of
    them, so that whatever else is known of the key is newer.
    """
    shown_at = None if ref.version_id else ref.created_at
    return replace(ref, created_at=UNKNOWN_TIME, sequencer=None, listed_at=shown_at)


def _s3_object(record: Mapping[str, Any]) -> ObjectRef:
    s3 = record["s3"]
    thing = s3["object"]
    return ObjectRef(
        bucket=_text(s3["bucket"]["name"]),
        key=_key(unquote_plus(_text(thing["key"]), errors="strict")),  # form-encoded: decoded here only (E17)
        etag=_sent(thing["eTag"]).strip('"'),
        size=_size(thing["size"]),
        created_at=_time(record["eventTime"]),
        version_id=_version(thing.get("versionId")),
        sequencer=_sequencer(thing.get("sequencer")),
    )


def _s3_removal(record: Mapping[str, Any], *, marker: bool) -> Removal:
    s3 = record["s3"]
    thing = s3["object"]
    return Removal(
        bucket=_text(s3["bucket"]["name"]),
        key=_key(unquote_plus(_text(thing["key"]), errors="strict")),
        removed_at=_time(record["eventTime"]),
        version_id=_version(thing.get("versionId")),
        marker=marker,
        sequencer=_sequencer(thing.get("sequencer")),
    )


def _from_eventbridge(event: Mapping[str, Any]) -> Notices:
    match event["detail-type"]:
        case "Object Created":
            return Notices(created=(_bridged(event),))
        case "Object Restore Completed":
            return Notices(created=(_restored(_bridged(event)),))
        case "Object Deleted":
            return Notices(removed=(_bridged_removal(event),))
        case _:
            return Notices(ignored=1)


def _bridged(event: Mapping[str, Any]) -> ObjectRef:
    detail = event["detail"]
    thing = detail["object"]
    return ObjectRef(
        bucket=_text(detail["bucket"]["name"]),
        key=_key(_text(thing["key"])),  # EventBridge does not encode keys
        etag=_sent(thing["etag"]).strip('"'),
        size=_size(thing["size"]),
        created_at=_time(event["time"]),
        version_id=_version(thing.get("version-id")),
        sequencer=_sequencer(thing.get("sequencer")),
    )


def _bridged_removal(event: Mapping[str, Any]) -> Removal:
    detail = event["detail"]
    thing = detail["object"]
    return Removal(
        bucket=_text(detail["bucket"]["name"]),
        key=_key(_text(thing["key"])),
        removed_at=_time(event["time"]),
        version_id=_version(thing.get("version-id")),
        marker=detail.get("deletion-type") == "Delete Marker Created",
        sequencer=_sequencer(thing.get("sequencer")),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is no name")
    value.encode()  # half a character raises UnicodeEncodeError, a ValueError
    return value


def _key(key: str) -> str:
    if not 0 < len(key.encode()) <= MAX_KEY:
        raise ValueError(f"a key has at most {MAX_KEY} bytes")
    return key


def _size(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value <= MAX_SIZE:
        raise ValueError(f"{value!r} is no size")
    return value


def _sent(value: Any) -> str:
    """What goes back to S3 with the request: plain ASCII, as S3 makes it."""
    text = _text(value)
    if len(text) > MAX_KEY or not all("!" <= char <= "~" for char in text):
        raise ValueError("an ETag or version id has other characters than S3 gives")
    return text


def _version(value: Any) -> str | None:
    return None if value in (None, "", "null") else _sent(value)


def _sequencer(value: Any) -> str | None:
    return None if value is None else _text(value)


def _time(value: Any) -> datetime:
    time = datetime.fromisoformat(str(value))
    if time.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    return time


def _bad(what: str, body: str) -> BadMessage:
    return BadMessage(
        what,
        where=f"message {body[:120]!r}",
        remedy="It is retried and then kept in the dead-letter queue; find out who sends to the arrivals queue",
    )
