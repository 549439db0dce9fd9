import bz2
import io
import lzma
import os
import random
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path

import pytest

from chalicelib.config.decoders import CommonsCompress, Gzip, Tar, Zip
from chalicelib.errors import DecodeError
from chalicelib.records.decoders.chain import decoded
from chalicelib.records.decoders.limits import Limits
from chalicelib.records.spool import spooled
from tests.records.bodies import SAMPLES, Trickle
from tests.records.packing import PACK, everything, members, one, tarred, zipped, zipped_raw

A, B = b"id\n1\n2\n", b"id\n3\n"
NOISE = random.Random(2).randbytes(100_000)
TWO = {"a.csv": A, "b.csv": B}


def matching(pattern: str) -> tuple[Zip]:
    return (Zip(type="zip", match_name=pattern),)


def test_the_entries_of_a_zip_come_in_order_with_their_names():
    assert list(members(zipped({"z.csv": B, "a.csv": A})).items()) == [("z.csv", B), ("a.csv", A)]


def test_each_entry_may_be_packed_otherwise():
    archive = zipped({"a.csv": A, "b.csv.gz": PACK["gzip"](B), "c.csv": PACK["zstd"](A)})
    assert members(archive) == {"a.csv": A, "b.csv.gz": B, "c.csv": A}
    assert members(archive, matching("gz$")) == {"b.csv.gz": B}


@pytest.mark.parametrize(
    "pattern, names",
    [
        (None, {"in/a.csv", "in/b.tsv", "ab.csv"}),
        ("csv", {"in/a.csv", "ab.csv"}),
        ("^in/", {"in/a.csv", "in/b.tsv"}),
        ("nowhere", set()),
    ],
)
@pytest.mark.parametrize("pack", [zipped, tarred], ids=["zip", "tar"])
def test_match_name_is_searched_anywhere_in_the_name(pack, pattern, names):
    kind = Zip if pack is zipped else Tar
    decoder = kind.model_validate({"type": kind.__name__.lower(), "match_name": pattern})
    assert set(members(pack({"in/a.csv": A, "in/b.tsv": B, "ab.csv": A}), (decoder,))) == names


@pytest.mark.parametrize("pack", [zipped, tarred], ids=["zip", "tar"])
def test_what_holds_no_rows_is_no_entry(pack):
    extra = {"__MACOSX/._a.csv": b"mac", "in/._b.csv": b"mac", ".DS_Store": b"mac", "empty.csv": b""}
    assert members(pack(TWO | extra)) == TWO


def test_folders_are_no_entries():
    assert members((SAMPLES / "entries.zip").read_bytes()) == {
        "one.csv": (SAMPLES / "packed.csv").read_bytes(),
        "folder/two.csv": b"id\n7\n",
        "folder/two.csv.gz": b"id\n7\n",
        "readme.txt": b"read me",
    }


def test_an_archive_of_nothing_has_no_entries():
    assert members(zipped({})) == {}


@pytest.mark.parametrize("kind", [Zip(type="zip"), Tar(type="tar")], ids=["zip", "tar"])
def test_an_empty_object_is_empty_also_as_an_archive(kind):
    assert one(b"", (kind,)) == b""


METHODS = {
    "stored": zipped({"a.csv": NOISE}, zipfile.ZIP_STORED),
    "deflate": zipped({"a.csv": NOISE}, zipfile.ZIP_DEFLATED),
    "bzip2": zipped({"a.csv": NOISE}, zipfile.ZIP_BZIP2),
    "lzma": zipped({"a.csv": NOISE}, zipfile.ZIP_LZMA),
    "zstd": zipped_raw("a.csv", NOISE, PACK["zstd"](NOISE), 93),
    "xz": zipped_raw("a.csv", NOISE, lzma.compress(NOISE), 95),
}


@pytest.mark.parametrize("size", [1, 1000, 1 << 22])
@pytest.mark.parametrize("method", METHODS)
def test_entries_are_read_whatever_their_method(method, size):
    assert members(METHODS[method], size=size) == {"a.csv": NOISE}


@pytest.mark.parametrize("method", METHODS)
def test_an_entry_with_another_checksum_is_an_error_that_names_it(method):
    archive = bytearray(METHODS[method])
    archive[archive.rindex(b"PK\1\2") + 16] ^= 1
    with pytest.raises(DecodeError, match=r"entry 'a.csv' .* checksum is wrong.*at or before compressed byte \d+"):
        members(bytes(archive))


@pytest.mark.parametrize(
    "method, by", [*((name, 7) for name in METHODS), *((name, -7) for name in METHODS if name != "lzma")]
)
def test_an_entry_of_another_length_than_the_directory_says_is_an_error(method, by):
    archive = bytearray(METHODS[method])
    at = archive.rindex(b"PK\1\2")
    size = struct.unpack_from("<L", archive, at + 24)[0] + by
    struct.pack_into("<L", archive, at + 24, size)
    if by < 0:
        struct.pack_into("<L", archive, at + 16, zlib.crc32(NOISE[:by]))
    with pytest.raises(DecodeError, match=r"entry 'a\.csv'"):
        members(bytes(archive))


@pytest.mark.parametrize(
    "method, name", [(9, "deflate64"), (98, "ppmd"), (1, "shrink"), (6, "implode"), (77, "method 77")]
)
def test_a_method_that_nobody_here_can_undo_is_refused_by_its_name(method, name):
    with pytest.raises(DecodeError, match=f"entry 'a.csv' of the zip archive is compressed with {name}"):
        members(zipped_raw("a.csv", A, A, method))


def test_an_encrypted_entry_is_refused_by_its_name_before_anything_is_read():
    with pytest.raises(DecodeError, match=r"entry 'one.csv' of the zip archive is encrypted") as caught:
        members((SAMPLES / "encrypted.zip").read_bytes())
    assert "password" in caught.value.remedy
    assert members((SAMPLES / "encrypted.zip").read_bytes(), matching("nothing")) == {}


def test_an_office_document_is_no_archive_of_data():
    book = zipped({"[Content_Types].xml": b"<Types/>", "xl/worksheets/sheet1.xml": b"<worksheet/>"})
    with pytest.raises(DecodeError, match="an Office document"):
        members(book)
    assert list(members(book, matching("sheet1"))) == ["xl/worksheets/sheet1.xml"]


def test_strong_encryption_is_refused_too():
    with pytest.raises(DecodeError, match="is encrypted"):
        members(zipped_raw("a.csv", A, A, 99, flags=1))


def test_large_archives_in_zip64_are_read():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in TWO.items():
            with archive.open(name, "w", force_zip64=True) as entry:
                entry.write(data)
    assert members(file.getvalue()) == TWO


def test_sizes_that_stand_behind_the_data_are_read():
    class Pipe(io.BytesIO):
        def seekable(self):
            return False

        def tell(self):
            raise OSError

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in TWO.items():
            archive.writestr(name, data)
    assert members(pipe.getvalue()) == TWO


def test_an_archive_that_can_extract_itself_is_read_when_declared():
    assert members(b"#!/bin/sh\nexit 1\n" + zipped(TWO), (Zip(type="zip"),)) == TWO


def test_every_entry_of_one_name_is_read():
    with pytest.warns(UserWarning, match="Duplicate"):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a.csv", A)
            archive.writestr("a.csv", B)
    assert [everything(member.body) for member in decoded(io.BytesIO(file.getvalue()), None)] == [A, B]


def test_a_zip_cut_anywhere_is_an_error():
    whole = zipped(TWO)
    for end in range(4, len(whole)):
        with pytest.raises(DecodeError):
            members(whole[:end])
    with pytest.raises(DecodeError, match=r"ends too soon.* at or before compressed byte 700"):
        members((SAMPLES / "truncated.zip").read_bytes())


def test_an_entry_that_is_not_where_the_directory_says_is_an_error():
    archive = bytearray(zipped(TWO))
    struct.pack_into("<L", archive, archive.rindex(b"PK\1\2") + 42, 11)
    with pytest.raises(DecodeError, match=r"entry 'b.csv' .* not where the directory says.* compressed byte 11"):
        members(bytes(archive))


def test_archives_within_archives_are_read_and_named():
    inner = zipped({"deep/c.csv": A})
    archive = zipped({"a.csv": B, "inner.zip": inner, "t.tar.gz": PACK["gzip"](tarred({"d.csv": A}))})
    assert members(archive) == {"a.csv": B, "inner.zip/deep/c.csv": A, "t.tar.gz/d.csv": A}


def test_a_name_is_matched_in_the_archive_it_was_declared_for_only():
    archive = zipped({"x.zip": zipped({"c.csv": A}), "y.zip": zipped({"c.csv": B})})
    assert members(archive, matching("x")) == {"x.zip/c.csv": A}


def test_archives_nested_deeper_than_anybody_needs_are_refused():
    archive = zipped({"a.csv": A})
    for _ in range(3):
        archive = zipped({"x": archive})
    assert members(archive) == {"x/x/x/a.csv": A}
    with pytest.raises(DecodeError, match="entry 'x/x/x/x' is packed more than 4 times over"):
        members(zipped({"x": archive}))


@pytest.mark.parametrize("decoders", [None, (Gzip(type="gzip"), Zip(type="zip"))])
def test_a_zip_that_comes_as_a_stream_is_read(decoders):
    assert members(Trickle(PACK["gzip"](zipped(TWO)), 100), decoders) == TWO
    assert members(Trickle(zipped(TWO), 100)) == TWO


def open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0


def test_the_temporary_file_goes_when_the_reading_ends_whatever_ends_it(tmp_path):
    before = open_files()
    reading = decoded(Trickle(zipped(TWO)), None)
    assert everything(next(reading).body) == A
    assert open_files() == before + 1
    reading.close()
    assert open_files() == before
    broken = zipped(TWO)[:-8]
    with pytest.raises(DecodeError):
        members(Trickle(broken))
    assert open_files() == before


def test_what_is_too_large_for_the_temporary_disk_is_refused():
    with pytest.raises(DecodeError, match=r"the zip archive must be read in any order.*larger than 1 MiB"):
        spooled(io.BytesIO(bytes((1 << 20) + 1)), "the zip archive", 1 << 20)
    with spooled(Trickle(NOISE, 1000), "the zip archive", len(NOISE)) as file:
        assert (file.read(3), file.seek(10), file.read(5), file.read()) == (NOISE[:3], 10, NOISE[10:15], NOISE[15:])


FULL = """
import io, resource
from chalicelib.errors import DecodeError
from chalicelib.records.spool import spooled
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    spooled(io.BytesIO(bytes(3 << 20)), "the zip archive")
except DecodeError as error:
    print(error.what)
"""


def test_a_full_temporary_disk_is_told():
    ran = subprocess.run([sys.executable, "-c", FULL], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("the zip archive does not fit on the temporary disk")


def test_a_spool_leaves_no_name_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with spooled(io.BytesIO(A), "it"):
        assert list(tmp_path.iterdir()) == []


def test_more_entries_than_allowed_are_refused_with_the_setting_that_moves_it():
    for pack in (zipped, tarred):
        archive = pack({f"{n}.csv": A for n in range(11)})
        assert len(members(archive, limits=Limits(entries=11))) == 11
        with pytest.raises(DecodeError, match="more than 10 entries") as caught:
            members(archive, limits=Limits(entries=10))
        assert "in.max_entries" in caught.value.remedy


def test_entries_of_nested_archives_count_together():
    archive = zipped({f"{n}.zip": zipped({"a": A, "b": B}) for n in range(3)})
    assert len(members(archive, limits=Limits(entries=9))) == 6
    with pytest.raises(DecodeError, match="more than 8 entries"):
        members(archive, limits=Limits(entries=8))


def test_a_directory_that_would_fill_the_memory_is_refused():
    entries = 60_000
    directory = (b"PK\1\2" + bytes(42)) * (entries * 2)
    tail = struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, 65535, 65535, len(directory), 0, 0)
    with pytest.raises(DecodeError, match=r"in\.max_entries|the directory of the zip archive takes") as caught:
        members(directory + tail, (Zip(type="zip"),), limits=Limits(entries=1000))
    assert "in.max_entries" in caught.value.remedy


def test_a_zip_bomb_stops_after_64_mib():
    archive = zipped({"a.csv": bytes(65 << 20)}, zipfile.ZIP_BZIP2)
    assert len(archive) < 1000
    body = next(decoded(io.BytesIO(archive), None)).body
    with pytest.raises(DecodeError, match="bomb"):
        everything(body, 1 << 20)


def test_a_bomb_of_entries_that_share_their_bytes_is_measured_by_the_archive():
    data = bytes(1 << 20)
    packed = bz2.compress(data)
    head = struct.pack("<4sHHHHHLLLHH", b"PK\3\4", 63, 0, 12, 0, 33, zlib.crc32(data), len(packed), len(data), 1, 0)
    central = struct.pack(
        "<4sHHHHHHLLLHHHHHLL",
        b"PK\1\2", 63, 63, 0, 12, 0, 33, zlib.crc32(data), len(packed), len(data), 1, 0, 0, 0, 0, 0, 0,
    )  # fmt: skip
    local, directory = head + b"a" + packed, (central + b"a") * 500
    tail = struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, 500, 500, len(directory), len(local), 0)
    with pytest.raises(DecodeError, match="bomb"):
        for member in decoded(io.BytesIO(local + directory + tail), None):
            everything(member.body, 1 << 20)


class Counting(io.BytesIO):
    """A body in which every read and jump is a request."""

    reads = 0

    def read(self, size=-1, /):
        self.reads += 1
        return super().read(size)


def test_small_entries_are_not_requests_of_their_own():
    body = Counting(zipped({f"{n}.csv": A for n in range(500)}))
    assert len(members(body)) == 500
    assert body.reads < 20


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("step", [1, 700, 1 << 20])
def test_a_tar_of_every_kind_is_read_as_a_stream(kind, step):
    long = "/".join(["folder"] * 20) + "/a.csv"
    entries = {"a.csv": A, "noise.bin": NOISE[:5000], "empty.csv": b"", long: B}
    if kind != tarfile.USTAR_FORMAT:
        entries |= {"x" * 300 + ".csv": A, "ユキ.csv": B}
    read = members(Trickle(tarred(entries, kind), step))
    del entries["empty.csv"]
    assert read == entries


def test_a_tar_is_told_in_anything_it_is_packed_in():
    for name in ("gzip", "bzip2", "xz", "zstd"):
        assert members(Trickle(PACK[name](tarred(TWO)))) == TWO
    assert members((SAMPLES / "entries.tar.gz").read_bytes()) == {
        "one.csv": (SAMPLES / "packed.csv").read_bytes(),
        "folder/two.csv": b"id\n7\n",
        "folder/two.csv.gz": b"id\n7\n",
        "readme.txt": b"read me",
    }


def test_an_entry_of_a_tar_that_was_not_read_to_its_end_does_not_harm_the_next():
    reading = decoded(Trickle(tarred({"a": NOISE, "b": B})), None)
    assert next(reading).body.read(10) == NOISE[:10]
    assert everything(next(reading).body) == B


def test_a_tar_cut_anywhere_is_an_error():
    whole = tarred(TWO)
    end = len(whole.rstrip(b"\0")) + 512
    for at in range(512, end // 512 * 512 - 512, 64):
        with pytest.raises(DecodeError, match=f"tar archive ends too soon, at or before compressed byte {at}"):
            members(whole[:at])


def test_what_stands_behind_a_tar_is_an_error():
    with pytest.raises(DecodeError, match="the tar archive is followed by something else"):
        members(tarred(TWO) * 2)


def test_a_gzip_cut_behind_the_entries_of_its_tar_is_an_error():
    with pytest.raises(DecodeError, match="the gzip data ends too soon"):
        members(PACK["gzip"](tarred(TWO))[:-4])


def test_a_tar_with_a_broken_header_is_an_error():
    archive = bytearray(tarred({"a": NOISE[:512], "b": B}))
    archive[1024] ^= 1
    with pytest.raises(DecodeError, match=r"checksum of a header is wrong\), at or before compressed byte 1536"):
        members(bytes(archive))
    with pytest.raises(DecodeError, match="tar archive"):
        members(A * 200, (Tar(type="tar"),))


def test_links_and_folders_in_a_tar_are_no_entries():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, kind in (("d", tarfile.DIRTYPE), ("s", tarfile.SYMTYPE), ("f", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type = kind
            archive.addfile(info)
        info = tarfile.TarInfo("a.csv")
        info.size = len(A)
        archive.addfile(info, io.BytesIO(A))
    assert members(file.getvalue()) == {"a.csv": A}


def test_text_that_says_ustar_where_a_tar_does_is_no_tar():
    text = b"x" * 257 + b"ustar" + b"x" * 300
    assert one(text) == text


@pytest.mark.parametrize(
    "spelled, pack", [("", zipped), ("zip", zipped), ("jar", zipped), ("tar", tarred), ("", tarred)]
)
def test_embulks_commons_compress_reads_archives(spelled, pack):
    decoder = CommonsCompress.model_validate({"type": "commons-compress", "format": spelled, "match_name": "b"})
    assert members(pack(TWO), (decoder,)) == {"b.csv": B}


def test_commons_compress_looks_for_its_archive_below_gzip():
    decoder = CommonsCompress(type="commons-compress", match_name="b")
    assert members(PACK["gzip"](tarred(TWO)), (decoder,)) == {"b.csv": B}
