from typing import Any

import pytest

from chalicelib.config.source import Source
from chalicelib.errors import ConfigError

BASE: dict[str, Any] = {"type": "s3", "bucket": "acme", "parser": {"type": "csv"}}


def source(**more: Any) -> Source:
    return Source.parse({**BASE, **more}, where="load.yml")


def refusal(**more: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        source(**more)
    return caught.value.what


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd", "lz4", "snappy", "brotli", "zip", "tar"])
def test_decoders_are_named_by_their_type_alone(kind: str) -> None:
    (decoder,) = source(decoders=[{"type": kind}]).decoders or ()
    assert decoder.type == kind


@pytest.mark.parametrize("given, expected", [(None, None), ([], ())])
def test_left_out_is_something_else_than_none_at_all(given: Any, expected: Any) -> None:
    assert source(decoders=given).decoders == expected
    assert source().decoders is None


@pytest.mark.parametrize("kind", ["zip", "tar", "commons-compress"])
def test_match_name_is_an_re2_pattern(kind: str) -> None:
    assert source(decoders=[{"type": kind, "match_name": r"\.csv$"}])
    said = refusal(decoders=[{"type": kind, "match_name": "(?=x)"}])
    assert said.startswith(f"in.decoders.0.{kind}.match_name") or "match_name" in said
    assert "is not an RE2 pattern" in said


def test_only_archives_have_entries_to_match() -> None:
    assert "match_name is not a known key" in refusal(decoders=[{"type": "gzip", "match_name": "x"}])


def test_a_decoder_that_does_not_exist_is_answered_with_those_that_do() -> None:
    said = refusal(decoders=[{"type": "rar"}])
    assert "brotli, bzip2, commons-compress, gzip, lz4, snappy, tar, xz, zip, zstd" in said


@pytest.mark.parametrize("spelled", ["", "zip", "jar", "tar", "gzip", "gz", "bzip2", "xz", "zstd"])
def test_embulks_commons_compress_is_accepted(spelled: str) -> None:
    decoder = {"type": "commons-compress", "format": spelled, "match_name": "x", "decompress_concatenated": True}
    assert source(decoders=[decoder]).document()["decoders"] == [decoder]


@pytest.mark.parametrize(
    "given", [{"format": "ar"}, {"format": "cpio"}, {"decompress_concatenated": False}], ids=lambda given: str(given)
)
def test_what_commons_compress_has_and_we_do_not_is_refused(given: dict[str, Any]) -> None:
    assert "decoders.0" in refusal(decoders=[{"type": "commons-compress", **given}])


def test_limits_against_bombs_have_defaults_and_can_be_moved() -> None:
    assert (source().max_expansion_ratio, source().max_entries) == (1200, 10_000)
    moved = source(max_expansion_ratio=5, max_entries=1)
    assert (moved.max_expansion_ratio, moved.max_entries) == (5, 1)


@pytest.mark.parametrize("key", ["max_expansion_ratio", "max_entries"])
def test_limits_are_above_zero(key: str) -> None:
    assert refusal(**{key: 0}).startswith(key)
