"""The charset of samples, and the samples as text."""

import codecs
import re
from collections.abc import Sequence

from chalicelib.records.proposals.proposal import Evidence, Sample, Sure

_BOMS = (
    (codecs.BOM_UTF8, "UTF-8"),
    (codecs.BOM_UTF32_LE, "UTF-32"),  # begins like UTF-16, so it is asked first
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_CANDIDATES = ["cp1252", "cp932", "euc_jp", "gb18030", "big5", "cp949", "cp1251", "koi8_r", "cp1250", "cp1253"]
_NAMES = {"euc_jp": "EUC-JP", "gb18030": "GB18030", "big5": "Big5", "koi8_r": "KOI8-R"}
_ESCAPES = re.compile(rb"\x1b\$[@B]")  # how ISO-2022-JP begins a Japanese passage
_CENTRAL = set("ìùò¹³¿¶\x9d")  # what letters of Central Europe look like if they are read as cp1252
_ENOUGH = 1 << 16  # bytes that are looked at where each costs much
_FEW = 20  # valid sequences for each broken one, for text to be UTF-8 all the same


def charset_of(samples: Sequence[Sample]) -> tuple[str, Evidence]:
    """The charset that fits all samples best, as the parser's `charset`."""
    starts = [sample.data for sample in samples if sample.start]
    for bom, name in _BOMS:
        marked = sum(data.startswith(bom) for data in starts)
        if marked:
            return name, _said(name, f"{marked} of {len(starts)} objects begin with its byte order mark", Sure.HIGH)
    data = b"\n".join(sample.data for sample in samples)
    wide = _wide(data)
    if wide:
        return wide, _said(wide, "every other byte is zero", Sure.MEDIUM)
    if _ESCAPES.search(data):
        return "ISO-2022-JP", _said("ISO-2022-JP", "its escape sequences are there", Sure.HIGH)
    if data.isascii():
        return "UTF-8", _said("UTF-8", "there is nothing but ASCII", Sure.MEDIUM)
    return _utf8(samples) or _by_statistics(data)


def text_of(sample: Sample, charset: str) -> str:
    """The sample as text, without what was cut at its ends; what is no text shows as U+FFFD."""
    try:
        text = codecs.getincrementaldecoder(charset)("replace").decode(sample.data, sample.whole)
    except UnicodeError:  # UTF-16 or UTF-32 that begins without a mark, as a piece from inside does
        ordered = _wide(sample.data) or f"{charset}-LE"
        text = codecs.getincrementaldecoder(ordered)("replace").decode(sample.data, sample.whole)
    text = text.removeprefix("\ufeff")
    if not sample.start:
        text = text[_after_line(text) :]
    return text


def _after_line(text: str) -> int:
    match = re.search(r"\r\n|\r|\n", text)
    return match.end() if match else len(text)


def _wide(data: bytes) -> str | None:
    """UTF-16 without a mark: text that is mostly ASCII has a zero in every other byte."""
    head = data[:_ENOUGH]
    if head.count(0) * 3 < len(head) or len(head) < 2:
        return None
    even, odd = head[::2].count(0), head[1::2].count(0)
    if odd * 10 > len(head) * 3 and even * 10 < odd:
        return "UTF-16LE"
    return "UTF-16BE" if even * 10 > len(head) * 3 and odd * 10 < even else None


def _utf8(samples: Sequence[Sample]) -> tuple[str, Evidence] | None:
    """UTF-8, if all bytes beyond ASCII are, or nearly all."""
    text = "".join(_utf8_text(sample) for sample in samples)
    broken = text.count("\ufffd")
    valid = sum(not char.isascii() for char in text) - broken
    if not broken:
        return "UTF-8", _said("UTF-8", f"all {valid} characters beyond ASCII are valid", Sure.HIGH)
    if valid >= _FEW * broken:
        why = f"{valid} characters are valid, {broken} are not: their rows are rejects, unless charset_errors: replace"
        return "UTF-8", _said("UTF-8", why, Sure.MEDIUM)
    return None


def _utf8_text(sample: Sample) -> str:
    data = sample.data
    if not sample.start:  # the first character may have been cut
        data = data.lstrip(bytes(range(0x80, 0xC0)))
    return codecs.getincrementaldecoder("utf-8")("replace").decode(data, sample.whole)


def _by_statistics(data: bytes) -> tuple[str, Evidence]:
    from charset_normalizer import from_bytes  # loaded only where it is needed: most text is UTF-8

    lines = [line for line in data.splitlines() if not line.isascii()]
    telling = b"\n".join(lines)[:_ENOUGH]
    found = from_bytes(telling, cp_isolation=_CANDIDATES, language_threshold=0.1)
    best = found.best()
    beyond = sum(byte > 0x7F for byte in telling)
    if best is None or (best.encoding.startswith("cp125") and beyond < 10):
        return "cp1252", _said("cp1252", "it is no UTF-8, and there is too little to tell more", Sure.LOW)
    name = best.encoding
    if name == "cp1250" and not _central(telling):
        name = "cp1252"
    shown = _NAMES.get(name, name)
    sure = Sure.MEDIUM if best.chaos < 0.1 and beyond >= 30 and len(found) == 1 else Sure.LOW
    return shown, _said(shown, f"it is no UTF-8, and reads best so ({beyond} bytes beyond ASCII)", sure)


def _central(data: bytes) -> bool:
    """True if bytes that western languages hardly use are frequent."""
    beyond = [char for char in data.decode("cp1252", "replace") if not char.isascii()]
    return 5 * sum(char in _CENTRAL or char == "\ufffd" for char in beyond) >= len(beyond)


def _said(name: str, why: str, sure: Sure) -> Evidence:
    return Evidence("charset", name, why, sure)
