"""What DynamoDB answers is the same whether botocore takes it apart or not."""

import json
from binascii import crc32
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError

from chalicelib.aws.answers import taken_whole
from chalicelib.aws.customers.sessions import Sessions
from tests.wired import session

ITEM = {"key": {"S": 'in/é "B": x'}, "revision": {"N": "7"}, "held": {"BOOL": True}, "gone": {"NULL": True}}
DEEP = {"tags": {"M": {"list": {"L": [{"S": "a"}, {"N": "1.50"}, {"M": {}}]}}}, "set": {"SS": ["a", "b"]}}
BINARY = {"key": {"S": "a"}, "token": {"B": "AAEC"}, "tokens": {"BS": ["AAEC", "AwQ="]}}
PAGE = {"Items": [ITEM, DEEP], "Count": 2, "ScannedCount": 9, "LastEvaluatedKey": {"key": {"S": "z"}}}


class Said:
    """Answers in DynamoDB's place; the last one for ever."""

    def __init__(self, *bodies: bytes, status: int = 200, checksums: bool = True) -> None:
        self.bodies, self.status, self.checksums, self.calls = list(bodies), status, checksums, 0

    def answer(self, **event: Any) -> AWSResponse:
        self.calls += 1
        body = self.bodies.pop(0) if len(self.bodies) > 1 else self.bodies[0]
        headers = HTTPHeaders()
        headers["x-amz-crc32"] = str(crc32(body if self.checksums or self.calls > 1 else b"other"))
        headers["x-amzn-RequestId"] = "R1"
        raw = type("Raw", (), {"stream": lambda *_: iter([body])})()
        return AWSResponse(event["request"].url, self.status, headers, raw)


def client(said: Said) -> Any:
    made: Any = session().create_client(
        "dynamodb", region_name="us-east-1", config=Config(retries={"mode": "standard"})
    )
    made.meta.events.register("before-send.dynamodb", said.answer)
    return made


def query(client: Any) -> Any:
    values = {":p": {"S": "x"}}
    return client.query(TableName="t", KeyConditionExpression="p = :p", ExpressionAttributeValues=values)


def batch(client: Any) -> Any:
    return client.batch_get_item(RequestItems={"t": {"Keys": [{"p": {"S": "x"}}]}})


@pytest.mark.parametrize(
    ("call", "body"),
    [
        (query, PAGE),
        (query, {"Items": [], "Count": 0, "ScannedCount": 0}),
        (query, {"Items": [BINARY], "Count": 1, "ScannedCount": 1}),
        (batch, {"Responses": {"t": [ITEM, DEEP]}, "UnprocessedKeys": {}}),
        (batch, {"Responses": {}, "UnprocessedKeys": {"t": {"Keys": [{"p": {"S": "x"}}], "ConsistentRead": True}}}),
        (batch, {"Responses": {"t": [BINARY]}, "UnprocessedKeys": {}}),
    ],
)
@pytest.mark.parametrize("spaced", [False, True])
def test_an_answer_is_what_botocore_makes_of_it(call: Any, body: Any, spaced: bool) -> None:
    text = json.dumps(body, indent=1 if spaced else None, ensure_ascii=spaced).encode()
    assert call(taken_whole(client(Said(text)))) == call(client(Said(text)))


def test_a_refusal_is_still_one() -> None:
    body = json.dumps({"__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", "message": "no t"})
    with pytest.raises(ClientError, match="no t") as caught:
        query(taken_whole(client(Said(body.encode(), status=400))))
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_an_answer_that_was_damaged_on_its_way_is_asked_for_again() -> None:
    said = Said(json.dumps({**PAGE, "Items": []}).encode(), json.dumps(PAGE).encode(), checksums=False)
    assert query(taken_whole(client(said)))["Items"] == [ITEM, DEEP]
    assert said.calls == 2


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"[1]", b'{"Items": [{"key": {"S": "\\ud800"}}]}'])
def test_what_is_no_answer_is_left_to_botocore(body: bytes) -> None:
    def outcome(made: Any) -> object:
        try:
            return query(made)
        except Exception as error:  # whatever botocore makes of it
            return type(error), str(error)

    assert outcome(taken_whole(client(Said(body)))) == outcome(client(Said(body)))


def test_sessions_take_answers_whole() -> None:
    said = Said(json.dumps(PAGE).encode())
    base = session()
    base.register("before-send.dynamodb", said.answer)
    parsed: list[object] = []
    made: Any = Sessions(base).client("dynamodb", region="us-east-1")
    made.meta.events.register_last(
        "before-parse.dynamodb.Query", lambda response_dict, **_: parsed.append(response_dict["body"])
    )
    assert query(made)["Items"] == [ITEM, DEEP]
    assert parsed == [b"{}"]
