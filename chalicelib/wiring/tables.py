"""Where rows end: the catalogue, and what commits to it."""

from functools import cache
from typing import TYPE_CHECKING

from chalicelib.wiring.stores import endpoint, lake, now, region, secrets, sessions, settings

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem
    from pyiceberg.catalog import Catalog

    from chalicelib.config.destination import Iceberg, Parquet
    from chalicelib.destinations.iceberg.tables import IcebergTables
    from chalicelib.destinations.parquet.datasets import ParquetDatasets


def table(out: "Iceberg | Parquet") -> "IcebergTables | ParquetDatasets":
    """The kind of destination that `out` asks for."""
    return iceberg() if out.type == "iceberg" else parquet()


@cache
def iceberg() -> "IcebergTables":
    """Iceberg tables of the operator's catalogue."""
    from chalicelib.aws.errors import translated
    from chalicelib.destinations.iceberg.tables import IcebergTables

    ours = not settings().catalog_places_tables
    return IcebergTables(catalog, settings().warehouse, translated, places_tables=ours)


@cache
def parquet() -> "ParquetDatasets":
    """Parquet datasets in Tidegate's own bucket."""
    from chalicelib.aws.documents import S3Documents
    from chalicelib.aws.glue import GlueRegistry
    from chalicelib.destinations.parquet.datasets import ParquetDatasets

    documents, registry = S3Documents(sessions().client("s3")), GlueRegistry(sessions().client("glue"))
    return ParquetDatasets(lake(), documents, registry, settings().warehouse, _files, now)


def _files() -> "FileSystem":
    from pyarrow.fs import S3FileSystem

    return S3FileSystem(region=region(), endpoint_override=endpoint("S3"))


@cache
def catalog() -> "Catalog":
    """The Iceberg catalogue, with file access of its own. What the operator says goes before what we know."""
    from chalicelib.destinations.iceberg.catalogue import opened
    from chalicelib.destinations.iceberg.lakefiles import NAME

    settings_ = settings()
    warehouse = settings_.catalog_warehouse or settings_.warehouse
    known = {"py-io-impl": NAME, "type": settings_.catalog, "warehouse": warehouse, "uri": settings_.catalog_uri}
    known |= {"glue.endpoint": endpoint("GLUE"), "s3.endpoint": endpoint("S3")}
    known |= {"glue.region": region(), "s3.region": region()}
    return opened(known, settings_.catalog_properties or {}, settings_.catalog_secret, secrets())
