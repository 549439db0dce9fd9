import gzip
import random

import pytest

from chalicelib.config.formats import Gzip
from chalicelib.errors import DecodeError
from chalicelib.records.decoders import decoded
from chalicelib.records.pages import Readable
from tests.records.reading import SAMPLES, Trickle

GZIP = Gzip(type="gzip")
TEXT = b"".join(b"%d,%d\n" % (n, n * n) for n in range(5000))
NOISE = random.Random(1).randbytes(40_000)
PACKED = gzip.compress(TEXT)


def everything(body: Readable, size: int = 999) -> bytes:
    return b"".join(iter(lambda: body.read(size), b""))


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
@pytest.mark.parametrize("decoders", [None, (GZIP,)])
@pytest.mark.parametrize(
    "packed, text",
    [
        (PACKED, TEXT),
        (PACKED + gzip.compress(NOISE) + gzip.compress(b"") + PACKED, TEXT + NOISE + TEXT),
        (PACKED + b"\0" * 511, TEXT),
        (PACKED + b"\0" * 3 + PACKED, TEXT + TEXT),
        (b"", b""),
    ],
    ids=["one member", "four members", "zeros at the end", "zeros between", "nothing"],
)
def test_every_gzip_member_is_read(packed, text, decoders, step):
    assert everything(decoded(Trickle(packed, step), decoders)) == text


@pytest.mark.parametrize("text", [TEXT, b"\x1f", b"a", b""])
def test_content_that_is_not_gzip_stays_as_it_is_when_nothing_is_declared(text):
    assert everything(decoded(Trickle(text, 1), None)) == text


def test_no_decoders_leave_gzip_packed():
    assert everything(decoded(Trickle(PACKED), ())) == PACKED


def test_decoders_apply_one_after_the_other():
    assert everything(decoded(Trickle(gzip.compress(PACKED)), (GZIP, GZIP))) == TEXT


def test_declared_gzip_on_other_content_is_refused():
    with pytest.raises(DecodeError, match="begins with 30 2c instead of 1f 8b"):
        everything(decoded(Trickle(TEXT), (GZIP,)))


def broken_crc() -> bytes:
    return PACKED[:-8] + bytes(byte ^ 1 for byte in PACKED[-8:-4]) + PACKED[-4:]


@pytest.mark.parametrize(
    "packed, message",
    [
        (PACKED[:-1], f"ends too soon, at or before compressed byte {len(PACKED) - 1}"),
        (PACKED[:5], "ends too soon, at or before compressed byte 5"),
        (PACKED + PACKED[:30], f"ends too soon, at or before compressed byte {len(PACKED) + 30}"),
        (broken_crc(), f"CRC.*at or before compressed byte {len(PACKED)}"),
        (PACKED[:20] + b"\xff\xff\xff" + PACKED[23:], f"is corrupt.*at or before compressed byte {len(PACKED)}"),
        (PACKED + b"and some garbage here", f"is corrupt.*at or before compressed byte {len(PACKED) + 21}"),
        (PACKED + b"x", "ends too soon"),
    ],
    ids=["cut", "cut in the header", "cut in the second member", "crc", "body", "garbage after", "a byte after"],
)
def test_broken_gzip_is_an_error_that_names_the_offset(packed, message):
    with pytest.raises(DecodeError, match=message):
        everything(decoded(Trickle(packed), None))


def test_a_truncated_sample_is_an_error():
    with pytest.raises(DecodeError):
        everything(decoded(Trickle((SAMPLES / "truncated.csv.gz").read_bytes()), None))
