"""Customers' buckets in memory. Objects can be overwritten, deleted, archived, denied and broken at any moment."""

import io
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import md5
from typing import Any

from chalicelib.core.connections import Grant
from chalicelib.core.descriptions import Description
from chalicelib.core.listing import Listed, Page, unlisted
from chalicelib.core.objects import ObjectRef
from chalicelib.errors import (
    AccessDenied,
    BucketNotFound,
    ObjectArchived,
    ObjectChanged,
    ObjectMissing,
    RoleNotAssumable,
    SourceUnavailable,
    TidegateError,
)

Place = tuple[str, str]  # bucket, key


@dataclass(slots=True)
class FakeBuckets:
    """`part` bytes are looked up at a time, so that what happens to an object shows in the middle of a read."""

    part: int = 1024
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    latest: dict[Place, ObjectRef] = field(default_factory=dict)
    contents: dict[ObjectRef, bytes] = field(default_factory=dict)
    versioned: dict[str, bool] = field(default_factory=dict)  # every bucket there is
    archived: set[Place] = field(default_factory=set)
    restored: set[Place] = field(default_factory=set)  # of the archived ones
    hidden: dict[Place, datetime] = field(default_factory=dict)  # until when nothing is there
    denied: set[str] = field(default_factory=set)  # buckets
    refused: set[str] = field(default_factory=set)  # names of connections whose role cannot be assumed
    broken: dict[Place, int] = field(default_factory=dict)  # bytes after which the network fails
    opened: list[tuple[Grant, ObjectRef, str]] = field(default_factory=list)
    described: list[tuple[Grant, ObjectRef, str, bool]] = field(default_factory=list)  # the last: tags too
    told: dict[ObjectRef, dict[str, Any]] = field(default_factory=dict)  # what else `put` was given
    tags: dict[ObjectRef, dict[str, str]] = field(default_factory=dict)
    listings: int = 0  # calls of `page`
    ranges: int = 0  # calls of `range`

    def create(self, bucket: str, *, versioned: bool = False) -> None:
        self.versioned[bucket] = versioned

    def put(self, bucket: str, key: str, data: bytes, *, tags: dict[str, str] | None = None, **told: Any) -> ObjectRef:
        """Write an object, in a new bucket if need be; the reference is what a notification would carry.

        `told`: content_type, content_encoding, metadata, sse … as in Description.
        """
        version = f"v{len(self.contents)}" if self.versioned.setdefault(bucket, False) else None
        etag = md5(data, usedforsecurity=False).hexdigest()
        ref = ObjectRef(bucket, key, etag, len(data), self.now, version, sequencer=f"{len(self.contents):016X}")
        self.archived.discard((bucket, key))
        self.restored.discard((bucket, key))
        self.hidden.pop((bucket, key), None)
        self.latest[bucket, key] = ref
        self.contents[ref] = data
        self.told[ref], self.tags[ref] = told, tags or {}
        return ref

    def delete(self, ref: ObjectRef) -> None:
        """What a plain DELETE does: earlier versions stay."""
        del self.latest[ref.bucket, ref.key]

    def archive(self, ref: ObjectRef) -> None:
        self.archived.add((ref.bucket, ref.key))
        self.restored.discard((ref.bucket, ref.key))

    def restore(self, ref: ObjectRef) -> None:
        """A readable copy is there from now on; the class stays what it was (E11)."""
        self.restored.add((ref.bucket, ref.key))

    def hide(self, ref: ObjectRef, until: datetime) -> None:
        """A multipart upload that began when `ref` was put and ends at `until`: its date is that of its start (E5)."""
        self.hidden[ref.bucket, ref.key] = until

    def deny(self, bucket: str) -> None:
        self.denied.add(bucket)

    def open(self, grant: Grant, ref: ObjectRef, *, prefix: str) -> "FakeBody":
        self.opened.append((grant, ref, prefix))
        if grant.connection.name in self.refused:
            raise RoleNotAssumable("refused", where=grant.connection.role)
        return FakeBody(self, ref)

    def describe(self, grant: Grant, ref: ObjectRef, *, prefix: str, tags: bool = False) -> Description:
        self.described.append((grant, ref, prefix, tags))
        if grant.connection.name in self.refused:
            raise RoleNotAssumable("refused", where=grant.connection.role)
        error = self._refusal(ref)
        if error is not None and error is not ObjectArchived:
            raise error("refused", where=str(ref))
        kept = self._kept(ref)
        told = {"content_type": "binary/octet-stream", "metadata": {}, **self.told[kept]}
        if (ref.bucket, ref.key) in self.archived:
            told["storage_class"] = "GLACIER"
        if (ref.bucket, ref.key) in self.archived & self.restored:
            told["restore"] = 'ongoing-request="false"'
        written = kept.created_at.replace(microsecond=0)
        size = len(self.contents[kept])
        return Description(ref, size, written, tags=self.tags[kept] if tags else None, **told)

    def page(
        self,
        grant: Grant,
        bucket: str,
        prefix: str,
        *,
        start_after: str = "",
        until: str | None = None,
        limit: int = 1000,
        exact: bool = False,
    ) -> Page:
        """The latest objects, in whole seconds and without versions, as S3 lists them."""
        where = f"s3://{bucket}/{prefix}"
        if not grant.connection.can_list:
            return self._single(grant, bucket, prefix, start_after, until) if exact else self._unlisted(grant, where)
        self.listings += 1
        if grant.connection.name in self.refused:
            raise RoleNotAssumable("refused", where=grant.connection.role)
        if bucket not in self.versioned:
            raise BucketNotFound("refused", where=where)
        if bucket in self.denied:
            raise AccessDenied("refused", where=where)
        keys = [key for there, key in self.latest if there == bucket and self._visible((bucket, key))]
        after = [key for key in keys if key.startswith(prefix) and key.encode() > start_after.encode()]
        after.sort(key=str.encode)
        found = [key for key in after[:limit] if until is None or key.encode() < until.encode()]
        objects = tuple(self._listed((bucket, key)) for key in found)
        return Page(objects, found[-1] if len(found) == limit < len(after) else None)

    def probe(self, grant: Grant, bucket: str, prefix: str) -> None:
        if grant.connection.can_list:
            self.page(grant, bucket, prefix, limit=1)
        elif grant.connection.name in self.refused:
            raise RoleNotAssumable("refused", where=grant.connection.name)

    def _unlisted(self, grant: Grant, where: str) -> Page:
        raise unlisted(grant.connection.name, where)

    def _single(self, grant: Grant, bucket: str, key: str, start_after: str, until: str | None) -> Page:
        """The page of one key, which is found by a HEAD: without the right to list, S3 says 403 of a missing key."""
        if grant.connection.name in self.refused:
            raise RoleNotAssumable("refused", where=grant.connection.name)
        if bucket not in self.versioned:
            raise BucketNotFound("refused", where=f"s3://{bucket}/{key}")
        if bucket in self.denied or (bucket, key) not in self.latest or not self._visible((bucket, key)):
            raise AccessDenied("refused", where=f"s3://{bucket}/{key}")
        within = key > start_after and (until is None or key < until)
        return Page((self._listed((bucket, key)),) if within else (), None)

    def range(self, ref: ObjectRef, start: int) -> bytes:
        """Up to `part` bytes of exactly this identity, now."""
        self.ranges += 1
        error = self._refusal(ref)
        if error is not None:
            raise error("refused", where=str(ref))
        end = start + self.part
        if end > self.broken.get((ref.bucket, ref.key), end):
            raise SourceUnavailable("broken", where=str(ref))
        return self._content(ref)[start:end]

    def _visible(self, place: Place) -> bool:
        return self.now >= self.hidden.get(place, self.now)

    def _listed(self, place: Place) -> Listed:
        ref = self.latest[place]
        seconds = ref.created_at.replace(microsecond=0)
        storage = "GLACIER" if place in self.archived else "STANDARD"
        shown = replace(ref, created_at=seconds, version_id=None, sequencer=None)
        return Listed(shown, storage, place in self.archived & self.restored)

    def _refusal(self, ref: ObjectRef) -> type[TidegateError] | None:
        place = (ref.bucket, ref.key)
        latest = self.latest.get(place) if self._visible(place) else None
        checks: tuple[tuple[type[TidegateError], bool], ...] = (
            (BucketNotFound, ref.bucket not in self.versioned),
            (AccessDenied, ref.bucket in self.denied),
            (ObjectMissing, latest is None and ref.version_id is None),
            (ObjectChanged, latest is not None and ref.version_id is None and latest.etag != ref.etag),
            (ObjectMissing, all(not ref.same(kept) for kept in self.contents)),
            (ObjectArchived, place in self.archived - self.restored),
        )
        return next((error for error, holds in checks if holds), None)

    def _kept(self, ref: ObjectRef) -> ObjectRef:
        return next(kept for kept in self.contents if ref.same(kept))

    def _content(self, ref: ObjectRef) -> bytes:
        return self.contents[self._kept(ref)]


class FakeBody(io.RawIOBase):
    """One object, part by part; the last part is at hand."""

    def __init__(self, buckets: FakeBuckets, ref: ObjectRef) -> None:
        self._buckets, self._ref = buckets, ref
        self._start, self._held = 0, buckets.range(ref, 0)
        self._place = 0
        self.size = len(buckets._content(ref))
        self.encoding = buckets.told[buckets._kept(ref)].get("content_encoding")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        place = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.size}[whence] + offset
        if place < 0:
            raise ValueError(f"byte {place} is before the object")
        self._place = place
        return place

    def read(self, size: int = -1) -> bytes:
        if self.closed:
            raise ValueError("the object was closed")
        end = self.size if size < 0 else min(self.size, self._place + size)
        data = b""
        while self._place < end:
            if not self._start <= self._place < self._start + len(self._held):
                self._start, self._held = self._place, self._buckets.range(self._ref, self._place)
            begin = self._place - self._start
            piece = self._held[begin : begin + end - self._place]
            data += piece
            self._place += len(piece)
        return data

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
