"""Run one target under the coverage-guided fuzzer: what finds new ways through the code is kept and changed further.

    python -m fuzz.run csv -max_total_time=300 -rss_limit_mb=512 -timeout=10 CORPUS

Needs atheris. Everything after the target is libFuzzer's; an input that broke something is left as broken-….
"""

import importlib
import sys
from hashlib import sha1
from pathlib import Path

TARGETS = ("csv", "json", "decoders", "guess")


def main() -> None:
    """Fuzz until time is up or something breaks."""
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: python -m fuzz.run {'|'.join(TARGETS)} [libFuzzer's options] [corpus folder]")
    import atheris

    with atheris.instrument_imports(include=["chalicelib"], enable_loader_override=False):
        target = importlib.import_module(f"fuzz.fuzz_{sys.argv[1]}")
    for argument in sys.argv[2:]:
        if not argument.startswith("-"):
            Path(argument).mkdir(parents=True, exist_ok=True)

    def check(data: bytes) -> None:
        try:
            target.check(data)
        except BaseException:
            name = f"broken-{sys.argv[1]}-{sha1(data, usedforsecurity=False).hexdigest()[:12]}"
            Path(name).write_bytes(data)  # libFuzzer does not always come to write its own
            print(f"the input is in {name}: {data!r}", file=sys.stderr)  # noqa: T201
            raise

    atheris.Setup([f"fuzz_{sys.argv[1]}", *sys.argv[2:]], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
