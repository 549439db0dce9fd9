"""How fast every decoder gives bytes, and what it takes in memory: each in a process of its own, on the same data.

    python bench/bench_decoders.py [--mb 32]

Data is a CSV of made-up log lines, packed at each tool's usual level, read from memory in pieces of 2 MiB, the best
of three. Seconds are of the processor; memory is the most that the process ever had, with Python, Arrow and the packed
bytes in it. Compare within the table: absolute numbers belong to the machine.
"""

import argparse
import bz2
import gzip
import io
import lzma
import random
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import cramjam
from isal import igzip

from chalicelib.config.decoders import Brotli, Decoder
from chalicelib.records.decoders.chain import decoded

PIECE = 2 << 20
SLOW = 4  # bzip2, xz and brotli take long to pack and get a part of the data


def lines(size: int) -> bytes:
    rnd = random.Random(7)
    agents = ["Mozilla/5.0 (X11; Linux x86_64)", "curl/8.5.0", "Safari/605.1.15 (KHTML like Gecko)"]
    some = "".join(
        f"{n},{rnd.randint(0, 10**6)},2026-01-{n % 28 + 1:02},{rnd.choice(agents)},{rnd.random() * 60:.2f}\n"
        for n in range(40_000)
    ).encode()
    return (some * (size // len(some) + 1))[:size]


def zipped(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", data)
    return file.getvalue()


def tarred(data: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo("a.csv")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


PACK: dict[str, Callable[[bytes], bytes]] = {
    "nothing": bytes,
    "gzip": lambda data: gzip.compress(data, 6),
    "gzip, many members": lambda data: b"".join(
        gzip.compress(data[at : at + (64 << 10)], 6) for at in range(0, len(data), 64 << 10)
    ),
    "zip": zipped,
    "tar": tarred,
    "zstd": lambda data: bytes(cramjam.zstd.compress(data, 3)),
    "lz4": lambda data: bytes(cramjam.lz4.compress(data)),
    "snappy": lambda data: bytes(cramjam.snappy.compress(data)),
    "brotli": lambda data: bytes(cramjam.brotli.compress(data[: len(data) // SLOW], 5)),
    "bzip2": lambda data: bz2.compress(data[: len(data) // SLOW]),
    "xz": lambda data: lzma.compress(data[: len(data) // SLOW], preset=2),
}


def drain(read: Callable[[int], bytes]) -> float:
    """MB that a second of the processor gives."""
    start = time.process_time()
    size = 0
    while data := read(PIECE):
        size += len(data)
    return size / 1e6 / (time.process_time() - start)


def reader(name: str, packed: bytes) -> Callable[[int], bytes]:
    declared: tuple[Decoder, ...] | None = (Brotli(type="brotli"),) if name == "brotli" else None
    if name == "igzip alone":
        read: Callable[[int], bytes] = igzip.IGzipFile(fileobj=io.BytesIO(packed), mode="rb").read
        return read
    return next(decoded(io.BytesIO(packed), declared)).body.read


def measure(name: str, path: Path) -> None:
    """One decoder in this process; prints a row of the table."""
    packed = path.read_bytes()
    speed = max(drain(reader(name, packed)) for _ in range(1 if name in ("bzip2", "xz") else 3))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"| {name} | {len(packed) / 1e6:.1f} | {speed:.0f} | {memory} |")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--mb", type=int, default=32)
    arguments.add_argument("--one", nargs=2, metavar=("NAME", "PATH"), help="used by the bench itself")
    given = arguments.parse_args()
    if given.one:
        measure(given.one[0], Path(given.one[1]))
        return
    data = lines(given.mb << 20)
    print("| packed as | MB packed | MB/s decoded | memory, MiB |\n|---|---:|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, pack in PACK.items():
            path = Path(folder) / "packed"
            path.write_bytes(pack(data))
            for each in (name, "igzip alone") if name == "gzip" else (name,):
                subprocess.run([sys.executable, __file__, "--one", each, str(path)], check=True)


if __name__ == "__main__":
    main()
