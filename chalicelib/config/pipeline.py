"""Pipeline: one named document that says what is read, and where its rows end."""

from pydantic import Field

from chalicelib.config.destination import Destination
from chalicelib.config.schedule import Schedule
from chalicelib.config.source import Source
from chalicelib.config.spec import Spec

NAME = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$"


class Pipeline(Spec):
    """The document of `tidegate apply`."""

    name: str = Field(pattern=NAME, max_length=100)
    connection: str = Field(pattern=NAME, max_length=100)
    source: Source = Field(alias="in")
    out: Destination
    schedule: Schedule | None = None
