"""A listing's XML as objects: S3's own way of writing by one pattern, every other way by ElementTree.

S3 writes each object as one line of plain elements in one order. The pattern takes those alone, and only if they lie
side by side and are all there is of objects; the rest of the answer is read as XML, whose end shows that it is whole.
Anything else, an entity in a key, a comment, an element we do not know, leaves the whole answer to ElementTree: a page
of 1,000 objects then costs 8 ms of CPU and not 4 (bench/bench_listing.py), and says the same.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import unquote_to_bytes
from xml.etree.ElementTree import Element, ParseError, fromstring

from chalicelib.core.listing import Listed
from chalicelib.core.objects import ObjectRef

Row = tuple[str, ...]  # key, LastModified, ETag, size, storage class, and what tells of a restored copy; as written

_TEXT = r"[^<>&\x00-\x1f\ufffe\uffff]*"  # that stands for itself, and that XML allows
_OWNER = rf"(?:<Owner>(?:<ID>{_TEXT}</ID>)?(?:<DisplayName>{_TEXT}</DisplayName>)?</Owner>)?"
_EXPIRY = rf"(<RestoreExpiryDate>{_TEXT}</RestoreExpiryDate>)?"
_RESTORE = rf"(?:<RestoreStatus>(?:<IsRestoreInProgress>{_TEXT}</IsRestoreInProgress>)?{_EXPIRY}</RestoreStatus>)?"
_OBJECT = re.compile(
    rf"(<Contents><Key>({_TEXT})</Key><LastModified>({_TEXT})</LastModified>"
    rf"<ETag>(?:&quot;)?({_TEXT})(?:&quot;)?</ETag>"
    rf"(?:<ChecksumAlgorithm>{_TEXT}</ChecksumAlgorithm>)*(?:<ChecksumType>{_TEXT}</ChecksumType>)?"
    rf"<Size>([0-9]{{1,19}})</Size>{_OWNER}{_RESTORE}"
    rf"(?:<StorageClass>({_TEXT})</StorageClass>)?{_RESTORE}{_OWNER}</Contents>)"
)
_BEGIN, _END, _MARK = "<Contents>", "</Contents>", "<Contents/>"
_DECLARED = re.compile(r"""<\?xml version=["']1.0["'](?: encoding=["'](?:UTF|utf)-8["'])?\s*\?>""")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: XML, with its objects in `rows` where they were plain, else still in the XML."""

    root: Element
    rows: list[Row] | None = None

    @property
    def name(self) -> str:
        """The outermost element's name, without its namespace."""
        return _name(self.root)

    @property
    def said(self) -> Mapping[str, str]:
        """The elements right under the outermost one, and their texts."""
        return {_name(child): child.text or "" for child in self.root}

    @property
    def truncated(self) -> bool:
        """True if there are more keys."""
        return _text(self.root, "IsTruncated") == "true"

    def objects(self, bucket: str) -> list[Listed]:
        """The objects of a listing; ValueError if one lacks what tells it from others."""
        decode = _decoded if _text(self.root, "EncodingType") == "url" else str  # not every server knows the parameter
        rows = _rows(self.root) if self.rows is None else self.rows
        return [_listed(bucket, row, decode) for row in rows]


def answered(body: bytes) -> Answer | None:
    """The answer in a body; None if it is no XML, or not whole."""
    plain = _plain(body)
    if plain is not None:
        return plain
    root = _parsed(body)
    return Answer(root) if root is not None else None


def _plain(body: bytes) -> Answer | None:
    """The answer, if all its objects are written as S3 writes them; None says nothing."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    begin, end = text.find(_BEGIN), text.rfind(_END) + len(_END)
    if not 0 <= begin < end or not _utf8(text):
        return None
    rows: list[Row] = _OBJECT.findall(text, begin, end)
    if sum(len(row[0]) for row in rows) != end - begin:
        return None
    root = _parsed(f"{text[:begin]}{_MARK}{text[end:]}".encode())
    if root is None or sum(1 for _ in root.iter(_space(root) + "Contents")) != 1:
        return None
    return Answer(root, [row[1:] for row in rows])


def _utf8(text: str) -> bool:
    """True of plain XML in UTF-8: no comment or document type, where what looks like an object is none."""
    declared = _DECLARED.match(text)
    return "<!" not in text and text.find("<?", declared.end() if declared else 0) < 0


def _parsed(body: bytes) -> Element | None:
    try:
        return fromstring(body)  # noqa: S314 - expat bounds what entities grow to  # nosec B314
    except (ParseError, LookupError, ValueError):  # the latter two of encodings that are unknown, or not simple
        return None


def _rows(root: Element) -> list[Row]:
    """The objects of any listing."""
    space = _space(root)
    names = ("Key", "LastModified", "ETag", "Size", "RestoreStatus", "StorageClass")
    key, written, etag, size, restore, storage = (f"{space}{name}" for name in names)
    expiry = f"{restore}/{space}RestoreExpiryDate"
    return [
        (
            each.findtext(key, ""),
            each.findtext(written, ""),
            each.findtext(etag, ""),
            each.findtext(size, ""),
            "" if each.find(restore) is None or each.find(expiry) is None else "yes",
            each.findtext(storage, ""),
            "",
        )
        for each in root.iter(f"{space}Contents")
    ]


def _listed(bucket: str, row: Row, decode: Callable[[str], str]) -> Listed:
    key, written, etag, size, restored, storage, restored_too = row
    if not key or not (etag := etag.strip('"')):
        raise ValueError("an object without key or ETag")
    at = datetime.fromisoformat(written).astimezone(UTC)
    return Listed(ObjectRef(bucket, decode(key), etag, int(size), at), storage, bool(restored or restored_too))


def _decoded(key: str) -> str:
    """`unquote_plus` in a third of its time: a quarter of a page's went into it, and most of a key is its folder."""
    folder, slash, name = key.rpartition("/")
    return f"{_folder(folder)}{slash}{_unquoted(name)}"


def _unquoted(text: str) -> str:
    return unquote_to_bytes(text.replace("+", " ")).decode() if "%" in text or "+" in text else text


_folder = lru_cache(maxsize=64)(_unquoted)


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _space(root: Element) -> str:
    return root.tag[: root.tag.rfind("}") + 1]


def _text(root: Element, name: str) -> str:
    return root.findtext(f"{{*}}{name}") or ""
