"""Parser options that cannot mean what they say."""

from typing import Any

import pytest

from chalicelib.config.formats import Csv
from chalicelib.errors import ConfigError


@pytest.mark.parametrize(
    "settings",
    [
        {"delimiter": "\n"},
        {"delimiter": "¦"},
        {"quote": "«"},
        {"delimiter": '"'},
        {"escape": ","},
        {"escape": "\r"},
        {"charset": "klingon"},
        {"charset": "base64"},
    ],
)
def test_signs_and_charsets_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        Csv.parse({"type": "csv", **settings}, where="test")
