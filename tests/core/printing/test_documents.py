import json
from typing import Any

from chalicelib.core.policies.recipes import sheets
from chalicelib.core.policies.sheets import Kind, Read
from chalicelib.core.printing import by_kind, document, documents
from tests.core.printing.customers import DOCUMENTS, facts


def parts(text: str) -> list[Any]:
    """The documents between the comments."""
    rest = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    return [json.loads(part) for part in rest.split("\n\n")]


def test_a_single_document_is_json_and_nothing_else() -> None:
    for name in DOCUMENTS:
        for sheet in sheets(facts(name)):
            text = documents([sheet])
            assert json.loads(text) == sheet.document
            assert text.endswith("}\n")
            assert text.isascii()


def test_several_stand_one_after_the_other_each_under_what_it_is() -> None:
    found = sheets(facts("KMS"))
    text = documents(found)
    heads = [line for line in text.splitlines() if line.startswith("#")]
    assert parts(text) == [sheet.document for sheet in found]
    assert heads[0].startswith("# The role's trust policy: arn:aws:iam::222222222222:role/reader")
    assert all(any(sheet.target in head for head in heads) for sheet in found)
    assert text.endswith("}\n")


def test_what_a_note_says_is_told() -> None:
    assert "The bucket has one configuration for everybody" in documents(sheets(facts()))


def test_a_name_cannot_end_its_comment() -> None:
    found = sheets(facts("SNS", Read("acme\n{}\u2028\x85\r", "in/")))
    assert parts(documents(found)) == [sheet.document for sheet in found]


def test_programs_get_a_kind_s_document_or_a_list_of_them() -> None:
    found = sheets(facts("SNS"))
    told = by_kind(found)
    assert told["trust"] == found[0].document
    assert [part["place"] for part in told["notification"]] == [s.place for s in found if s.kind is Kind.NOTIFICATION]
    assert json.loads(json.dumps(told)) == told


def test_documents_are_in_ascii_whatever_the_keys() -> None:
    (role,) = [sheet for sheet in sheets(facts("cross-account role", Read("b-1", "é/"))) if sheet.kind is Kind.ROLE]
    assert document(role).isascii()
    assert json.loads(document(role)) == role.document
