"""Parser: any of the formats."""

from typing import Annotated

from pydantic import Field

from chalicelib.config.parsers.columnar import Avro, Orc, ParquetObjects
from chalicelib.config.parsers.csv import Csv, Tsv
from chalicelib.config.parsers.fixed_width import FixedWidth
from chalicelib.config.parsers.json import Json
from chalicelib.config.parsers.objects import Objects

Parser = Annotated[Csv | Tsv | Json | ParquetObjects | Avro | Orc | FixedWidth | Objects, Field(discriminator="type")]
