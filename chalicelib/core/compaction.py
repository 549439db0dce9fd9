"""Which small files of a table are put together.

Files of one place (a partition of one spec) can become one. They are taken in the order of their lowest key, so that
a new file covers a short range of keys and whoever looks for an object's rows opens few files. A group is what is
exchanged as a whole, or not at all.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from chalicelib.config.maintenance import Maintenance

GROUP_TARGETS = 4  # a group has at most so many times the target size: what one change of another writer costs us
GROUP_FILES = 10_000  # and at most so many files
TIER = 2  # a file more than so many times larger than all smaller ones together waits until there are more of them
RUN_BYTES = 8 * 1024**3  # of files that one run reads
RUN_FILES = 20_000  # that one run reads


@dataclass(frozen=True, slots=True)
class LiveFile:
    """A data file that the current snapshot names."""

    path: str
    size: int  # bytes
    place: str  # only files of one place may become one
    first: str = ""  # the lowest key in it, or the beginning of that


@dataclass(frozen=True, slots=True)
class Group:
    """Files of one place that become as few as they can."""

    files: tuple[LiveFile, ...]

    @property
    def size(self) -> int:
        """Bytes that are read."""
        return sum(file.size for file in self.files)


def plan(files: Iterable[LiveFile], rules: Maintenance) -> list[Group]:
    """All groups that are worth their work, those first that spare the most files for each byte."""
    places = defaultdict(list)
    for file in files:
        if is_small(file, rules):
            places[file.place].append(file)
    found = [Group(tuple(chosen)) for small in places.values() for chosen in _of_place(small, rules)]
    return sorted(found, key=lambda group: len(group.files) / max(group.size, 1), reverse=True)


def bounded(groups: Sequence[Group]) -> list[Group]:
    """As many of the groups, in their order, as one run may read; never none if there are any."""
    chosen: list[Group] = []
    size = count = 0
    for group in groups:
        size, count = size + group.size, count + len(group.files)
        if chosen and (size > RUN_BYTES or count > RUN_FILES):
            break
        chosen.append(group)
    return chosen


def is_small(file: LiveFile, rules: Maintenance) -> bool:
    """True below three quarters of the target: what a compaction leaves at the target must not be small again."""
    return file.size * 4 < rules.target_file_size * 3


def _of_place(small: Sequence[LiveFile], rules: Maintenance) -> Iterator[list[LiveFile]]:
    for group in _cut(_tier(small, rules), rules):
        if len(group) >= rules.min_files or (len(group) > 1 and _size(group) >= rules.target_file_size):
            yield group


def _tier(small: Sequence[LiveFile], rules: Maintenance) -> list[LiveFile]:
    """Without files that are large beside all the others, as long as all together make no whole file.

    Otherwise every few new files would have the last compaction's remainder written once more.
    """
    by_size = sorted(small, key=lambda file: file.size)
    left = _size(by_size)
    while left < rules.target_file_size and by_size and by_size[-1].size > TIER * (left - by_size[-1].size):
        left -= by_size.pop().size
    return by_size


def _cut(files: Sequence[LiveFile], rules: Maintenance) -> Iterator[list[LiveFile]]:
    group: list[LiveFile] = []
    size = 0
    for file in sorted(files, key=lambda file: (file.first, file.path)):
        if group and (size + file.size > GROUP_TARGETS * rules.target_file_size or len(group) == GROUP_FILES):
            yield group
            group, size = [], 0
        group.append(file)
        size += file.size
    yield group


def _size(files: Iterable[LiveFile]) -> int:
    return sum(file.size for file in files)
