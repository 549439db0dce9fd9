"""`connection create`, `edit`, `list` and `show` where there are secrets: asked or piped in, never shown (F14)."""

import json
import os
import pty
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result

from chalicelib import wiring
from chalicelib.cli.connections import edit
from chalicelib.cli.keys import Asking
from chalicelib.cli.main import tidegate as command
from chalicelib.config.connection import METHODS, Connection, parse_connection
from chalicelib.core.health import Health
from chalicelib.core.keys import Keys
from chalicelib.errors import ConfigError, TidegateError
from tests.cli.conftest import Run
from tests.wired import quicken

ARN = "arn:aws:iam::222222222222:role/reader"
ROOT = Path(__file__).parents[2]
ID, SECRET, TOKEN = "ASIAPLANTEDPLANTED12", "planted/secret+key", "planted/token+"
SOON = (wiring.now() + timedelta(hours=3, minutes=30)).replace(microsecond=0)
PRINTED = json.dumps(
    {
        "Credentials": {
            "AccessKeyId": ID,
            "SecretAccessKey": SECRET,
            "SessionToken": TOKEN,
            "Expiration": SOON.isoformat(),
        }
    }
)


def ran(*arguments: str, text: str = "") -> Result:
    """The command, with `text` piped into it."""
    quicken()
    return CliRunner().invoke(command, ["connection", *arguments], input=text)


def shown(tidegate: Run, name: str = "acme") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tidegate("connection", "show", name, "--json").out)
    return found


def stored(name: str = "acme") -> Keys | None:
    return wiring.vault().get(wiring.admin().connection(name).connection)


@pytest.fixture
def session(tidegate: Run) -> Run:
    """The command, with the connection `acme` of session keys."""
    made = ran("create", "acme", "--auth-method", "session", "--keys-file", "-", text=PRINTED)
    assert made.exit_code == 0, made.output
    return tidegate


def test_what_sts_prints_can_be_piped_in(session: Run) -> None:
    assert stored() == Keys(ID, SECRET, TOKEN, SOON)
    told = shown(session)
    assert told["keys"]["access_key_id"] == "****ED12"
    assert told["keys"]["expires_at"] == SOON.isoformat()
    assert told["state"] == "ok, expires in 3 h"
    assert "external_id" not in told, "only a role has a use for it"


def test_no_door_shows_a_secret(session: Run, dynamo: Any) -> None:
    outs = [
        session("connection", *arguments)
        for arguments in (("show", "acme"), ("show", "acme", "--json"), ("list",), ("list", "--json"))
    ]
    outs.append(session("connection", "edit", "acme", "--region", "eu-west-1"))
    printed = "".join(each.out + each.err for each in outs)
    items = json.dumps(dynamo.scan(TableName="tidegate-connections")["Items"])
    assert "acme" in printed
    assert "acme" in items
    for secret in (ID, SECRET, TOKEN):
        assert secret not in printed
        assert secret not in items


def test_new_keys_from_a_file_take_the_place_of_the_old(session: Run, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    later = (SOON + timedelta(hours=8)).isoformat()
    keys = "aws_access_key_id=ASIAPLANTEDPLANTED34\naws_secret_access_key=s2\naws_session_token=t2"
    file.write_text(f"[x]\n{keys}\nexpiration={later}")
    changed = session("connection", "edit", "acme", "--keys-file", str(file), "--json")
    assert changed.code == 0, changed
    assert json.loads(changed.out)["keys"]["access_key_id"] == "****ED34"
    assert shown(session)["state"] == "ok, expires in 11 h"


def test_editing_without_secrets_keeps_them(session: Run) -> None:
    changed = session("connection", "edit", "acme", "--bucket", "acme-exports", "--prefix", "in/", "--requester-pays")
    assert changed.code == 0, changed
    told = shown(session)
    assert (told["buckets"], told["prefixes"], told["requester_pays"]) == (["acme-exports"], ["in/"], True)
    assert stored() == Keys(ID, SECRET, TOKEN, SOON)
    session("connection", "edit", "acme", "--unset", "prefixes", "--no-requester-pays")
    told = shown(session)
    assert (told["buckets"], told["prefixes"], told["requester_pays"]) == (["acme-exports"], [], False)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["create", "beta", "--auth-method", "session"], "needs access_key_id, secret_access_key, session_token, and"),
        (["create", "beta", "--auth-method", "basic"], "there is no terminal to ask at"),
        (["create", "acme", "--auth-method", "basic"], "taken"),
        (["edit", "acme"], "there is no terminal"),
        (["edit", "nobody", "--region", "eu-west-1"], "There are: acme"),
        (["edit", "acme", "--auth-method", "anonymous"], "method cannot change"),
        (["edit", "acme", "--unset", "name"], "cannot be unset"),
        (["edit", "acme", "--role-arn", ARN], "role_arn is a key of assume_role, not of session"),
        (["create", "beta", "--auth-method", "session", "--keys-file", "/does/not/exist"], "cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(session: Run, arguments: list[str], words: str) -> None:
    result = ran(*arguments)
    assert isinstance(result.exception, ConfigError)
    assert words in str(result.exception)
    assert [each.connection.name for each in wiring.connections().all()] == ["acme"]
    assert stored() == Keys(ID, SECRET, TOKEN, SOON)


def test_there_is_nothing_to_edit_where_nothing_is_given_and_no_secret_is_needed(acme: Run) -> None:
    refused = acme("connection", "edit", "acme")
    assert (refused.code, "nothing to change" in refused.err) == (2, True)


@pytest.mark.parametrize(
    "text",
    [PRINTED[:-10], f"aws_secret_access_key = {SECRET} {TOKEN}", f'{{"AccessKeyId": "{ID}\\u0007"}}', ID],
    ids=["cut", "blank", "bell", "no name"],
)
def test_what_is_pasted_wrongly_is_not_repeated(tidegate: Run, text: str) -> None:
    result = ran("create", "acme", "--auth-method", "session", "--keys-file", "-", text=text)
    assert isinstance(result.exception, TidegateError)
    said = str(result.exception) + result.output
    assert not any(secret in said for secret in (ID, SECRET, TOKEN))
    assert wiring.connections().all() == []


@pytest.mark.parametrize(
    "option", ["--secret", "--secret-access-key", "--session-token", "--access-key-id", "--password"]
)
def test_no_secret_is_an_option(tidegate: Run, option: str) -> None:
    for verb in ("create", "edit"):
        refused = tidegate("connection", verb, "acme", option, SECRET)
        assert refused.code == 2
        assert SECRET not in refused.err


def test_a_file_with_a_secret_in_it_is_refused_without_showing_it(tidegate: Run, tmp_path: Path) -> None:
    for text in (
        f"auth_method: basic\nsecret_access_key: {SECRET}\n",
        f"auth_method: basic\nhttp_proxy: {{host: p, user: u, password: {SECRET}}}\n",
        f"auth_method: basic\nsecret_access_key: [{SECRET}\n",
        f"auth_method: {SECRET}\n",
        f"auth_method: basic\n{'x' * 3}: {SECRET}\n",
    ):
        file = tmp_path / "acme.yml"
        file.write_text(text)
        refused = tidegate("connection", "create", "acme", "-f", str(file))
        assert refused.code == 2, refused
        assert SECRET not in refused.err + refused.out, text


def test_a_list_says_who_where_and_for_how_long(session: Run) -> None:
    session("connection", "create", "beta", "--role-arn", ARN, "--owner", "alice", "--region", "eu-west-1")
    failing = Health("beta", datetime(2026, 11, 22, 9, tzinfo=UTC), "the role refuses us", revision=1)
    assert wiring.health().swap(failing)
    lines = [json.loads(line) for line in session("connection", "list", "--json").out.splitlines()]
    assert [(line["method"], line["region"], line["owner"], line["state"]) for line in lines] == [
        ("session", "us-east-1", None, "ok, expires in 3 h"),
        ("assume_role", "eu-west-1", "alice", "failing since 2026-11-22 09:00 UTC"),
    ]
    assert shown(session, "beta")["reason"] == "the role refuses us"


def test_show_names_the_pipelines_that_use_it(flights: Run) -> None:
    assert shown(flights)["pipelines"] == ["flights"]
    warned = flights("connection", "edit", "acme", "--prefix", "elsewhere/")
    assert warned.code == 0
    assert "Warning: pipeline flights reads nothing any more" in warned.err


def test_deleting_forgets_the_keys_too(session: Run, boto: boto3.Session) -> None:
    before = wiring.admin().connection("acme").connection
    assert session("connection", "delete", "acme").code == 0
    assert wiring.vault().get(before) is None


def test_keys_may_lie_in_the_parameter_store(tidegate: Run) -> None:
    options = ["--auth-method", "session", "--secret-store", "parameter_store"]
    assert ran("create", "acme", *options, "--keys-file", "-", text=PRINTED).exit_code == 0
    assert stored() == Keys(ID, SECRET, TOKEN, SOON)
    assert tidegate("connection", "edit", "acme", "--secret-store", "secrets_manager").code == 0
    assert stored() == Keys(ID, SECRET, TOKEN, SOON)


def test_every_key_of_every_method_has_an_option() -> None:
    options = {option.name for option in edit.params} | {"name", "through", "http_proxy"}
    assert {key for method in METHODS.values() for key in method.model_fields} <= options


def test_options_make_a_document(tidegate: Run) -> None:
    os.environ["TIDEGATE_ENDPOINT_HOSTS"] = "http://proxy.example:3128"
    made = ran(
        *("create", "acme", "--json", "--keys-file", "-", "--role-arn", ARN, "--session-name", "us"),
        *("--session-tag", "team=lake", "--session-tag", "env=a=b", "--source-identity", "tide"),
        *("--sts-region", "eu-west-1", "--through-user", "arn:aws:iam::111122223333:user/u"),
        *("--duration-in-seconds", "43200", "--endpoint", "https://s3.eu-west-1.amazonaws.com"),
        *("--addressing-style", "path", "--proxy", "proxy.example:3128", "--proxy-user", "u"),
        *("--proxy-plain", "--bucket-owner", "any", "--no-can-list", "--notify-by", "none"),
        *("--kms-key", "arn:aws:kms:eu-west-1:222222222222:key/1234", "--owner", "alice"),
        text=f"access_key_id=AKIAPLANTEDPLANTED12\nsecret_access_key={SECRET}\nproxy_password=a b",
    )
    assert made.exit_code == 0, made.exception
    told = json.loads(made.output)
    assert told["session_tags"] == {"team": "lake", "env": "a=b"}
    assert told["through"] == {"type": "user", "user_arn": "arn:aws:iam::111122223333:user/u"}
    assert told["http_proxy"] == {"host": "proxy.example", "port": 3128, "https": False, "user": "u"}
    assert (told["can_list"], told["notify_by"], told["addressing_style"]) == (False, "none", "path")
    assert stored() == Keys("AKIAPLANTEDPLANTED12", SECRET, proxy_password="a b")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--through-user", "a", "--through-role", "b"],
        ["--principal", "session"],
        ["--proxy-user", "u"],
        ["--proxy", "https://u:p@host:1"],
        ["--session-tag", "team"],
    ],
)
def test_options_that_do_not_fit_together_are_refused(tidegate: Run, arguments: list[str]) -> None:
    assert tidegate("connection", "create", "acme", "--role-arn", ARN, *arguments).code == 2
    assert wiring.connections().all() == []


# prompts


def spec(method: str = "session", **fields: Any) -> Connection:
    return parse_connection({"name": "acme", "auth_method": method, **fields}, where="test")


def scripted(*answers: str) -> tuple[Asking, list[str]]:
    asked: list[str] = []
    left = iter(answers)

    def answer(text: str) -> str:
        asked.append(text)
        return next(left)

    return Asking(answer, answer, lambda: True), asked


def test_each_method_is_asked_for_what_it_needs() -> None:
    asking, asked = scripted(ID, SECRET, f" {TOKEN}\n", SOON.isoformat())
    assert asking.keys(spec()) == Keys(ID, SECRET, TOKEN, SOON)
    assert len(asked) == 4
    asking, asked = scripted("AKIA1", SECRET)
    assert asking.keys(spec("basic")) == Keys("AKIA1", SECRET)
    asking, asked = scripted("p")
    assert asking.keys(spec("anonymous", http_proxy={"host": "h", "user": "u"})) == Keys(proxy_password="p")


def test_who_edits_is_told_that_empty_keeps() -> None:
    asking, asked = scripted("", "", "")
    assert asking.keys(spec(), known=True) == Keys("", "", "")
    assert all("(empty: as it is)" in text for text in asked)


def test_a_terminal_does_not_show_what_is_typed() -> None:
    code = (
        "from chalicelib.cli.keys import Asking\n"
        "from chalicelib.config.connection import parse_connection\n"
        "keys = Asking().keys(parse_connection({'name': 'acme', 'auth_method': 'basic'}, where='x'))\n"
        "print('LENGTHS', len(keys.access_key_id), len(keys.secret_access_key))\n"
    )
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, "-c", code])
    seen = b""
    told = f"LENGTHS {len(ID)} {len(SECRET)}\r\n".encode()
    for prompt, answer in ((b"key id: ", ID), (b"access key: ", SECRET), (told, "")):
        while prompt not in seen:
            seen += os.read(terminal, 4096)
        if answer:
            os.write(terminal, answer.encode() + b"\n")
    os.waitpid(child, 0)
    os.close(terminal)
    assert b"PLANTED" not in seen.upper()
