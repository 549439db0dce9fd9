"""What Lambda makes of a function's answer, and of an application's configuration."""

from pathlib import Path

import pytest

from chalicelib.local.events import message_attribute, unfinished
from chalicelib.local.project import Project, renamed

MESSAGES = [{"MessageId": "a"}, {"MessageId": "b"}]


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        (None, ""),
        ({}, ""),
        ("done", ""),
        ({"batchItemFailures": []}, ""),
        ({"batchItemFailures": None}, ""),
        ({"batchItemFailures": [{"itemIdentifier": "b"}]}, "b"),
        ({"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "b"}]}, "ab"),
        ({"batchItemFailures": [{"itemIdentifier": "stranger"}]}, "ab"),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, "ab"),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, "ab"),
        ({"batchItemFailures": [{"messageId": "a"}]}, "ab"),
        ({"batchItemFailures": ["a"]}, "ab"),
        ({"batchItemFailures": "a"}, "ab"),
    ],
)
def test_the_answer_says_which_messages_stay(answer: object, left: str) -> None:
    assert unfinished(MESSAGES, answer) == frozenset(left)


def test_a_binary_attribute_travels_as_base64() -> None:
    assert message_attribute({"DataType": "Binary", "BinaryValue": b"\x00\xff"})["binaryValue"] == "AP8="


def test_a_queue_of_the_application_is_the_stacks() -> None:
    assert renamed("tidegate-commits.fifo", "tidegate", "blue") == "blue-commits.fifo"
    assert renamed("elsewhere", "tidegate", "blue") == "elsewhere"
    assert renamed("tidegates-own", "tidegate", "blue") == "tidegates-own"


def test_the_application_says_who_listens_to_what() -> None:
    small = Project(Path(__file__).parent / "small", "small")
    known = [(each.function.handler, each.queue, each.batch_size) for each in small.queues("blue")]
    assert known == [("arrive", "blue-arrivals", 10), ("load", "blue-tasks", 1), ("commit", "blue-commits.fifo", 1)]
    assert [each.handler for each in small.schedules()] == ["tick"]


def test_a_function_without_a_configuration_has_chalices_defaults() -> None:
    small = Project(Path(__file__).parent / "small", "small")
    assert [(each.timeout, each.memory) for each in map(small.function, ("arrive", "load"))] == [(60, 128), (2, 512)]
    assert small.function("arrive").environ == {"SMALL_COLOUR": "grey"}
