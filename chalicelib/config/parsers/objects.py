"""Objects: the rows are the objects themselves."""

from typing import Literal

from pydantic import Field

from chalicelib.config.parsers.layout import Layout


class Objects(Layout):
    """One row an object: key, size, ETag, version, times, storage class; nothing of its content is read."""

    type: Literal["objects"]
    tags: bool = Field(False, description="Read the tags as well; needs s3:GetObjectTagging.")
