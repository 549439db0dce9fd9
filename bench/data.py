"""Made-up data of any size, the same on every machine: in blocks, so that 10 GB need no more memory than 10 MB.

    python bench/data.py taxi 200        # MB before packing; weblog and events likewise, small: number of objects

- **taxi**: CSV, 19 columns, mostly numbers, 2 timestamps, 100 bytes a row.
- **weblog**: CSV, 19 columns, mostly text, some quoted, some with commas and quotes within, 380 bytes a row.
- **events**: JSON Lines with nested objects and lists, 580 bytes a row.
- **lines**: the same, of which only the columns are read that are not nested.
- **small**: weblog rows, 215 in an object of about 20 KB.

Blocks differ, and come round after some hundred MB; values repeat as they do in life: few vendors, some hundred
places, many addresses. Packed by gzip at level 6, as most do, and above LARGE by igzip at level 1, which takes a
tenth of the time. Files are kept in build/bench/data, named after what is in them.
"""

import gzip
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from isal import isal_zlib

DATA = Path(__file__).parents[1] / "build" / "bench" / "data"
BLOCK, SMALL_ROWS, LARGE = 50_000, 215, 2_000_000_000
ROUND = 50  # blocks
VERSION = 2  # of what is made: another one makes it anew

TAXI = {
    "vendor": "long", "picked_up": "timestamp", "dropped_off": "timestamp", "passengers": "long", "distance": "double",
    "rate": "long", "stored": "string", "from_zone": "long", "to_zone": "long", "paid_by": "long", "fare": "double",
    "extra": "double", "tax": "double", "tip": "double", "tolls": "double", "improvement": "double",
    "total": "double", "congestion": "double", "airport": "double",
}  # fmt: skip
WEBLOG = {
    "at": "timestamp", "request": "string", "ip": "string", "method": "string", "host": "string", "path": "string",
    "query": "string", "status": "long", "bytes": "long", "seconds": "double", "referrer": "string",
    "agent": "string", "user": "string", "session": "string", "country": "string", "city": "string",
    "cache": "string", "note": "string", "trace": "string",
}  # fmt: skip
EVENTS = {
    "id": "string", "at": "timestamp", "type": "string", "ok": "boolean", "number": "long", "score": "double",
    "message": "string", "user": "json", "device": "json", "items": "json", "tags": "json",
}  # fmt: skip


@dataclass
class Dice:
    """Random columns of one block."""

    seed: int
    rows: int
    thrown: int = 0

    def share(self) -> pa.Array:
        """Numbers from 0 to below 1."""
        self.thrown += 1
        return pc.random(self.rows, initializer=self.seed * 1000 + self.thrown)

    def below(self, limit: int, power: int = 1) -> pa.Array:
        """Whole numbers below the limit; a higher power prefers the low ones."""
        share = self.share()
        return pc.cast(pc.floor(pc.multiply(pc.power(share, float(power)), float(limit))), pa.int64())

    def money(self, limit: int, step: float = 0.01, power: int = 3) -> pa.Array:
        """Amounts up to the limit in steps; most of them are low."""
        return pc.round(pc.multiply(pc.cast(self.below(int(limit / step), power), pa.float64()), step), 2)

    def one_of(self, choices: Sequence[str | None], power: int = 2) -> pa.Array:
        return pc.take(pa.array(choices), self.below(len(choices), power))

    def some(self, values: pa.Array, share: float) -> pa.Array:
        """The values, but NULL where fate has it."""
        return pc.if_else(pc.less(self.share(), share), values, pa.scalar(None, values.type))


def text(*parts: object) -> pa.Array:
    """Texts joined row by row; numbers as digits."""
    cast = [part if isinstance(part, str) else pc.cast(part, pa.string()) for part in parts]
    return pc.binary_join_element_wise(*cast, "")


def digits(values: pa.Array, width: int) -> pa.Array:
    return pc.utf8_lpad(pc.cast(values, pa.string()), width, padding="0")


def moments(dice: Dice, seconds: int, unit: str = "s") -> pa.Array:
    """Growing from block to block, unordered within."""
    start = 1_704_067_200 + dice.seed * seconds
    return pc.cast(pc.cast(pc.add(dice.below(seconds), start), pa.timestamp("s")), pa.timestamp(unit))


def taxi(dice: Dice) -> pa.Table:
    start = moments(dice, 7200)
    end = pc.cast(pc.add(pc.cast(start, pa.int64()), pc.add(dice.below(3000, 2), 60)), pa.timestamp("s"))
    fare, tip, tolls = dice.money(90, 0.5), dice.money(20, power=6), dice.money(14, 6.94)
    columns = [
        pc.add(dice.below(2), 1), start, end, dice.some(pc.add(dice.below(6, 4), 1), 0.97), dice.money(30),
        dice.some(pc.add(dice.below(5, 9), 1), 0.97), dice.one_of(["N", "Y"], 6), pc.add(dice.below(265, 2), 1),
        pc.add(dice.below(265, 2), 1), pc.add(dice.below(4, 3), 1), fare, dice.money(4, 0.5),
        dice.money(1, 0.5, 1), tip, tolls, dice.money(1, 0.3), pc.round(pc.add(pc.add(fare, tip), tolls), 2),
        dice.some(dice.money(5, 2.5, 1), 0.97), dice.some(dice.money(3, 1.25), 0.97),
    ]  # fmt: skip
    return pa.table(columns, list(TAXI))


PATHS = [f"/shop/{kind}/{number}" for kind in ("shoes", "lamps", "books", "films") for number in range(400)]
HOSTS = [f"{name}.example.{end}" for name in ("www", "shop", "api", "static", "m") for end in ("com", "org", "de")]
AGENTS = [
    f"Mozilla/5.0 ({system}) AppleWebKit/{build}.36 (KHTML, like Gecko) "
    f"Chrome/{build // 5}.0.{build}.1 Safari/{build}.36"
    for system in ("Windows NT 10.0; Win64; x64", "X11; Linux x86_64", "Macintosh; Intel Mac OS X 10_15_7")
    for build in range(537, 560)
]
CITIES = ["Hamburg", "Paris", "New York", "São Paulo", "東京", "Leeds", "Porto", "Kraków", "Lyon", "Bergen"]
NOTES = [None, None, None, 'said "too late", and left', "slow, but well", "second try\tworked", None, "ok"]


def weblog(dice: Dice) -> pa.Table:
    user = dice.below(5_000_000, 2)
    session = pc.multiply(user, 7919)
    request = pc.add(dice.below(10**6), dice.seed * 10**6)
    columns = [
        moments(dice, 600, "ms"), text("req-", digits(request, 12)),
        text(dice.below(223), ".", dice.below(256), ".", dice.below(256), ".", dice.below(256)),
        dice.one_of(["GET", "POST", "HEAD", "PUT"], 3), dice.one_of(HOSTS), dice.one_of(PATHS),
        dice.some(text("page=", dice.below(40, 3), "&sort=", dice.one_of(["price", "name", "new"])), 0.4),
        dice.one_of(["200", "304", "404", "302", "500"], 4), dice.below(200_000, 3), dice.money(9, 0.001),
        dice.some(text("https://", dice.one_of(HOSTS), dice.one_of(PATHS)), 0.7), dice.one_of(AGENTS),
        dice.some(text("user-", user), 0.6), text("s-", digits(session, 14)), dice.one_of(["US", "DE", "FR", "BR"]),
        dice.one_of(CITIES), dice.one_of(["HIT", "MISS", "EXPIRED"]), dice.one_of(NOTES, 1),
        text("Root=1-", digits(dice.below(2**31), 10), "-", digits(dice.below(2**40), 13)),
    ]  # fmt: skip
    return pa.table(columns, list(WEBLOG))


def events(dice: Dice) -> pa.Array:
    """Lines of JSON."""
    user, number = dice.below(3_000_000, 2), dice.below(10**9)
    items = [
        text('{"sku":"', dice.one_of(["A", "B", "C"]), "-", dice.below(9000), '","price":', dice.money(200),
             ',"count":', pc.add(dice.below(4, 2), 1), "}")
        for _ in range(2)
    ]  # fmt: skip
    moment = pc.strftime(moments(dice, 900), "%Y-%m-%dT%H:%M:%SZ")
    return text(
        '{"id":"e-', digits(dice.below(10**12), 12), '","at":"', moment, '","type":"',
        dice.one_of(["view", "click", "order", "search", "login"]), '","ok":', dice.one_of(["true", "false"], 4),
        ',"number":', number, ',"score":', dice.money(100), ',"message":"',
        dice.one_of(["all is well", 'said \\"no\\", twice', "Grüße aus Köln", "timeout after 30 s", ""]),
        '","user":{"id":', user, ',"name":"user ', pc.multiply(user, 31), '","address":{"city":"', dice.one_of(CITIES),
        '","street":"', dice.one_of(["Main Street", "Rue de la Paix", "Hauptstraße"]), " ", dice.below(200),
        '","zip":"', digits(dice.below(99999), 5), '"}},"device":{"agent":"', dice.one_of(AGENTS),
        '","screen":[', dice.one_of(["1920,1080", "390,844", "2560,1440"]), '],"battery":',
        dice.some(dice.share(), 1.0).cast(pa.float32()), '},"items":[', items[0], ",", items[1],
        '],"tags":["', dice.one_of(["new", "sale", "gift"]), '","', dice.one_of(["web", "app"]), '"]}\n',
    )  # fmt: skip


def csv_blocks(make: Callable[[Dice], pa.Table], names: list[str], rows: int = BLOCK) -> Iterator[bytes]:
    """A header and endless rows."""
    yield ",".join(names).encode() + b"\n"
    yield from come_round(lambda seed: as_csv(make(Dice(seed, rows))))


def as_csv(table: pa.Table) -> bytes:
    """Quotes where they are needed and nowhere else, which Arrow's own writer does not do."""
    cells = [_quoted(column.cast(pa.string()).fill_null("")) for column in table.columns]
    lines = pc.binary_join_element_wise(*cells, ",")
    return "\n".join([*lines.to_pylist(), ""]).encode()


def _quoted(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    special = pc.match_substring_regex(cells, '[,"]')
    if not pc.any(special).as_py():
        return cells
    doubled = pc.replace_substring(cells, '"', '""')
    return pc.if_else(special, pc.binary_join_element_wise('"', doubled, '"', ""), cells)


def event_blocks() -> Iterator[bytes]:
    yield from come_round(lambda seed: "".join(events(Dice(seed, BLOCK // 5)).to_pylist()).encode())


def come_round(make: Callable[[int], bytes]) -> Iterator[bytes]:
    """Blocks of different seeds, the same again after some hundred MB: to make 10 GB of others would take an hour."""
    kept: list[bytes] = []
    while len(kept) < ROUND:
        kept.append(make(len(kept) + 1))
        yield kept[-1]
    while True:
        yield from kept


@dataclass(frozen=True)
class Shape:
    """A kind of data: its columns, and how it is made."""

    columns: dict[str, str]
    blocks: Callable[[], Iterator[bytes]]
    ending: str


SHAPES = {
    "taxi": Shape(TAXI, lambda: csv_blocks(taxi, list(TAXI)), "csv"),
    "weblog": Shape(WEBLOG, lambda: csv_blocks(weblog, list(WEBLOG)), "csv"),
    "events": Shape(EVENTS, event_blocks, "jsonl"),
    "lines": Shape({name: kind for name, kind in EVENTS.items() if kind != "json"}, event_blocks, "jsonl"),
}


@dataclass(frozen=True)
class Made:
    """Objects that are there: their keys below DATA, and their bytes before packing."""

    kind: str
    columns: dict[str, str]
    keys: list[str]
    raw: int


def large(kind: str, megabytes: int, *, packed: bool = True) -> Made:
    """One object of about so many MB before packing."""
    shape = SHAPES[kind]
    path = DATA / f"{kind}-{megabytes}-v{VERSION}.{shape.ending}{'.gz' if packed else ''}"
    size = path.with_suffix(path.suffix + ".size")
    if not size.exists():
        DATA.mkdir(parents=True, exist_ok=True)
        size.write_text(str(_written(path, shape.blocks(), megabytes * 1_000_000, packed=packed)))
    return Made(kind, shape.columns, [path.name], int(size.read_text()))


def _written(path: Path, blocks: Iterator[bytes], wanted: int, *, packed: bool) -> int:
    total, packer = 0, None
    if packed:
        library, level = (isal_zlib, 1) if wanted > LARGE else (zlib, 6)
        packer = library.compressobj(level, zlib.DEFLATED, 31)
    with path.open("wb") as file:
        for block in blocks:
            if total + len(block) > wanted:
                block = block[: block.rfind(b"\n", 0, max(1, wanted - total)) + 1]
                wanted = total
            total += len(block)
            file.write(packer.compress(block) if packer else block)
            if total >= wanted:
                break
        file.write(packer.flush() if packer else b"")
    return total


def small(objects: int) -> Made:
    """So many objects of SMALL_ROWS rows each."""
    folder = DATA / f"small-{objects}-v{VERSION}"
    size = folder.with_suffix(".size")
    keys = [f"{folder.name}/{number // 1000:03}/part-{number:06}.csv.gz" for number in range(objects)]
    if not size.exists():
        header, raw = ",".join(WEBLOG).encode() + b"\n", 0
        for number, key in enumerate(keys):
            content = header + as_csv(weblog(Dice(number + 1, SMALL_ROWS)))
            (DATA / key).parent.mkdir(parents=True, exist_ok=True)
            (DATA / key).write_bytes(gzip.compress(content, 6, mtime=0))
            raw += len(content)
        size.write_text(str(raw))
    return Made("small", WEBLOG, keys, int(size.read_text()))


if __name__ == "__main__":
    kind, amount = sys.argv[1], int(sys.argv[2])
    made = small(amount) if kind == "small" else large(kind, amount)
    packed = sum((DATA / key).stat().st_size for key in made.keys)
    print(f"{len(made.keys)} object(s), {made.raw / 1e6:.1f} MB, packed {packed / 1e6:.1f} MB: {DATA / made.keys[0]}")
