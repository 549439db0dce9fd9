"""DynamoDB's attributes: values with the name of their type beside them.

boto3 has the same, but to import it takes a door a tenth of its start, all of S3's transfers included.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def attribute(value: object) -> dict[str, Any]:
    """A plain value as an attribute. Raises TypeError for what DynamoDB does not keep exactly, as a float."""
    match value:
        case str():
            return {"S": value}
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() | Decimal():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
        case Mapping():
            return {"M": {name: attribute(each) for name, each in value.items()}}
        case list() | tuple():
            return {"L": [attribute(each) for each in value]}
    raise TypeError(f"{type(value).__name__} has no attribute to be kept in")


def value_of(found: Mapping[str, Any]) -> Any:
    """The plain value of an attribute; a number is a Decimal. Raises TypeError for a kind that nobody writes here."""
    ((kind, content),) = found.items()
    match kind:
        case "S" | "BOOL" | "B":
            return content
        case "N":
            return Decimal(content)
        case "NULL":
            return None
        case "M":
            return {name: value_of(each) for name, each in content.items()}
        case "L":
            return [value_of(each) for each in content]
    raise TypeError(f"{kind} is no kind of attribute that is written here")
