"""How our Parquet files are written: settings chosen by measurement (bench/bench_parquet.py).

All of it is Parquet as every engine has read it for years: deltas for longs and timestamps make files of numbers a
fifth smaller, but data pages 2.0 and the encodings that came with them are not read everywhere.
"""

from typing import Any

WRITER: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 1,  # 3 makes files 1 to 8 % smaller, for a tenth to a half more processor time
    "use_dictionary": True,
    # Bytes; a column with more has too many values for a dictionary to be worth it. A quarter of pyarrow's own limit.
    "dictionary_pagesize_limit": 256 * 1024,
    "write_page_index": True,  # Spark and Trino skip pages by it; it costs nothing that can be measured
    "store_decimal_as_integer": False,  # pyiceberg refuses integers with fewer digits than the table has
    "store_schema": False,  # Arrow's own, which says nothing that Parquet's does not
}
"""What pyarrow's ParquetWriter is given for every data file."""
