"""A catalogue of a test, served by Iceberg's REST protocol so that other engines can write to its tables."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from threading import Lock
from typing import Any

from pydantic import TypeAdapter
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError
from pyiceberg.table import TableRequirement, TableUpdate
from pyiceberg.table.metadata import TableMetadata

from tests.fakes.serving import serving

_REQUIREMENTS = TypeAdapter(tuple[TableRequirement, ...])
_UPDATES = TypeAdapter(tuple[TableUpdate, ...])


@contextmanager
def served(catalog: Catalog) -> Iterator[str]:
    """The catalogue's address, until the block ends. It knows what readers and writers of tables ask, and no more."""
    with serving(_Handler, behind=catalog, turn=Lock()) as url:
        yield url


class _Handler(BaseHTTPRequestHandler):
    behind: Catalog
    turn: Lock

    def do_GET(self) -> None:
        match self._parts():
            case ["config"]:
                self._say(200, {"defaults": {}, "overrides": {}})
            case ["namespaces", name]:
                self._say(200, {"namespace": [name], "properties": {}})
            case ["namespaces", space, "tables", name]:
                self._load(space, name)
            case _:
                self._refuse(404, "NoSuchTableException", self.path)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        match self._parts():
            case ["namespaces", space, "tables", name]:
                self._commit(space, name, asked)
            case [*_, "metrics"]:
                self._say(204, None)
            case _:
                self._refuse(404, "NoSuchTableException", self.path)

    def _load(self, space: str, name: str) -> None:
        try:
            table = self.behind.load_table((space, name))
        except NoSuchTableError as error:
            return self._refuse(404, "NoSuchTableException", str(error))
        return self._tell(table.metadata_location, table.metadata)

    def _commit(self, space: str, name: str, asked: dict[str, Any]) -> None:
        requirements = _REQUIREMENTS.validate_python(asked["requirements"])
        updates = _UPDATES.validate_python(asked["updates"])
        try:
            with self.turn:
                done = self.behind.commit_table(self.behind.load_table((space, name)), requirements, updates)
        except CommitFailedException as error:
            return self._refuse(409, "CommitFailedException", str(error))
        return self._tell(done.metadata_location, done.metadata)

    def _parts(self) -> list[str]:
        return self.path.partition("?")[0].removeprefix("/v1/").split("/")

    def _tell(self, location: str, metadata: TableMetadata) -> None:
        told = json.loads(metadata.model_dump_json(by_alias=True))
        self._say(200, {"metadata-location": location, "metadata": told, "config": {}})

    def _refuse(self, code: int, kind: str, message: str) -> None:
        self._say(code, {"error": {"code": code, "type": kind, "message": message}})

    def _say(self, code: int, answer: Any) -> None:
        content = b"" if answer is None else json.dumps(answer).encode()
        with suppress(ConnectionError):  # of somebody who does not wait for it
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing."""
