"""Json: a sequence of JSON values."""

import codecs
from typing import Literal

from pydantic import Field, model_validator

from chalicelib.config.parsers.layout import TextLayout


class Json(TextLayout):
    """JSON Lines, concatenated or pretty-printed values, or one array of them (F69, F70).

    Without `columns` names and types are inferred; a nested value becomes a column of type json, unless `flatten`.
    """

    type: Literal["json"]
    root: str | None = Field(None, pattern=r"^(/.*)?$", description="JSON Pointer to the record in each value (F69).")
    flatten_json_array: bool = Field(
        False, description="Each value, or what root points to, is an array whose elements are the records (F69)."
    )
    flatten: int = Field(
        0, ge=0, le=10, description="Without columns: levels of nested objects that become columns like `a.b`."
    )
    invalid_string_escapes: Literal["PASSTHROUGH", "SKIP", "UNESCAPE"] = Field(
        "PASSTHROUGH", description="What \\a in a string is: an error of its record, nothing, or `a` (F69)."
    )
    charset: str = Field("UTF-8", description="UTF-8, UTF-16 or UTF-32; a byte order mark is removed (F71).")

    @model_validator(mode="after")
    def _means_something(self) -> "Json":
        if not _is_unicode(self.charset):
            raise ValueError(f"charset {self.charset!r}: JSON is UTF-8, UTF-16 or UTF-32")
        if self.flatten and self.columns is not None:
            raise ValueError("flatten is for objects without declared columns; declare them with element_at")
        return self


def _is_unicode(charset: str) -> bool:
    try:
        name = codecs.lookup(charset).name
    except LookupError:
        return False
    return name.startswith(("utf-8", "utf-16", "utf-32"))
