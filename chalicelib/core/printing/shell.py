"""Commands of the aws CLI: one script for a bundle, for any POSIX shell, to be saved or pasted as a whole.

Names are other people's, and never become shell: each stands between single quotes, and documents are ASCII. What
others have written stays: a policy or notification configuration that is there already is fetched, kept in a file, and
given back with ours added; statements and notifications are told by their Sid and Id.
"""

import json
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from chalicelib.core.policies.sheets import Place, Sheet
from chalicelib.core.printing.bundles import Bundle, Holder, resource, roles, users
from chalicelib.core.printing.comments import commented, head
from chalicelib.errors import ConfigError

# Between single quotes in the script: it has none itself. Its arguments are JSON, or nothing, and a name.
MERGE = """\
import json, re, sys
there, ours = (json.loads(text) if text not in ("", "None") else {} for text in sys.argv[1:3])
name = sys.argv[3]
def mine(each, entries):
    known = {entry.get("Sid", entry.get("Id")) for entry in entries}
    before = name and re.fullmatch(re.escape(name) + "(-[0-9]+)?", each.get("Id", ""))
    return before or each.get("Sid", each.get("Id")) in known
if "${" in sys.argv[2] and there.get("Version", ours.get("Version")) != ours.get("Version"):
    sys.exit("the policy there has another Version, which would take our names literally: add the statements by hand")
for key in [*there, *ours]:
    entries = ours.get(key, [] if key.endswith("Configurations") else None)
    if isinstance(entries, list):
        known = there.get(key, [])
        known = known if isinstance(known, list) else [known]
        there[key] = [each for each in known if not mine(each, entries)] + entries
    elif entries is not None:
        there.setdefault(key, entries)
print(json.dumps(there))"""

FUNCTIONS = f"""\
keep() {{ # what is there now, in a file, in case you want it back
  before=$(mktemp "${{TMPDIR:-/tmp}}/tidegate-before.XXXXXX")
  printf '%s\\n' "$1" > "$before"
  echo "as it was: $before" >&2
}}
merged() {{ # what is there, with ours added, or put in the place of what we added before
  python3 -c '{MERGE}' "$1" "$2" "${{3:-}}"
}}
"""


@dataclass(frozen=True, slots=True)
class Variable:
    """A shell variable, made by the script itself."""

    name: str


Word = str | Variable


def shell(bundle: Bundle) -> str:
    """The script, which begins with comments and ends in one newline.

    Raises ConfigError for names that no command can be given: with a NUL, or one that the aws CLI takes for a file.
    """
    merges = bundle.at(*_MERGED)
    parts = [_guard(bundle), *([FUNCTIONS] if merges else []), *_steps(bundle)]
    remark = "Needs the aws CLI" + (" and python3; AWS CloudShell has both." if merges else ".")
    inner = "\n".join(part.rstrip("\n") + "\n" for part in parts if part)
    return commented([*head(bundle), remark]) + f"(\nset -eu\n{inner})\n"


_MERGED = (
    Place.ROLE_TRUST,
    Place.BUCKET_POLICY,
    Place.KEY_POLICY,
    Place.QUEUE_POLICY,
    Place.TOPIC_POLICY,
    Place.BUCKET_NOTIFICATION,
)


def _guard(bundle: Bundle) -> str:
    """Stops in another account."""
    if bundle.account is None:
        return ""
    account = shlex.quote(bundle.account)
    asked = _aws("sts", "get-caller-identity", query="Account", output="text")
    return f'[ "$({asked})" = {account} ] || {{ echo "these commands are for account" {account} >&2; exit 1; }}\n'


def _steps(bundle: Bundle) -> Iterator[str]:
    for role in roles(bundle):
        yield _holder(role, "role")
    for user in users(bundle):
        yield _holder(user, "user")
    parts = {
        Place.BUCKET_POLICY: _bucket,
        Place.KEY_POLICY: _key,
        Place.TOPIC_POLICY: _topic,
        Place.QUEUE_POLICY: _queue,
        Place.SUBSCRIPTION: _subscription,
        Place.RULE: _rule,
        Place.BUCKET_NOTIFICATION: _notification,
    }
    for place, part in parts.items():
        for sheet in bundle.at(place):
            yield "\n".join((commented([f"{place}: {sheet.target}"]).rstrip("\n"), *part(sheet)))


def _holder(holder: Holder, whose: str) -> str:
    """A role, which is made if it is not there, or a user; and what each may do."""
    lines = [commented([f"the {whose} {holder.arn}"]).rstrip("\n")]
    name: Word = Variable("READER") if holder.name is None else holder.name
    if isinstance(name, Variable):
        lines.append(': "${READER:?set READER to its name first}"')
    elif holder.trust is not None:
        lines += _trust(name, holder)
    for policy_name, policy in holder.policies:
        named = {f"{whose}_name": name, "policy_name": policy_name}
        lines.append(_aws("iam", f"put-{whose}-policy", **named, policy_document=_json(policy)))
    return "\n".join(lines)


def _trust(name: str, holder: Holder) -> Iterable[str]:
    there = _aws("iam", "get-role", role_name=name, query="Role.AssumeRolePolicyDocument", output="json")
    longest = {"max_session_duration": str(holder.session_seconds)} if holder.session_seconds is not None else {}
    make = _aws(
        "iam", "create-role", role_name=name, path=holder.path, assume_role_policy_document=Variable("ours"), **longest
    )
    change = _aws("iam", "update-assume-role-policy", role_name=name, policy_document=Variable("after"))
    return (
        f"ours={_document(holder.trust)}",
        f"if there=$({there} 2> /dev/null); then",
        '  keep "$there"',
        '  after=$(merged "$there" "$ours")',
        f"  {change}",
        *_lengthened(name, holder.session_seconds),
        "else",
        f"  {make} > /dev/null",
        "fi",
    )


def _lengthened(name: str, seconds: int | None) -> Iterable[str]:
    """Raises the role's maximum session duration where it is less than that many seconds, and never lowers it."""
    if seconds is None:
        return ()
    there = _aws("iam", "get-role", role_name=name, query="Role.MaxSessionDuration", output="text")
    change = _aws("iam", "update-role", role_name=name, max_session_duration=str(seconds))
    return f"  longest=$({there})", f'  [ "$longest" -ge {seconds} ] || {change} > /dev/null'


def _topic(sheet: Sheet) -> Iterable[str]:
    region = _region(sheet)
    topic: dict[str, Word] = {"topic_arn": sheet.target, **region}
    there = _aws("sns", "get-topic-attributes", **topic, query="Attributes.Policy", output="text")
    put = _aws("sns", "set-topic-attributes", **topic, attribute_name="Policy", attribute_value=Variable("after"))
    make = _aws("sns", "create-topic", name=resource(sheet.target), **region)
    return (f"{make} > /dev/null", *_added(sheet, f"there=$({there})", put))


def _subscription(sheet: Sheet) -> Iterable[str]:
    asked = sheet.document
    attributes = {"attributes": _json(asked["Attributes"])} if asked.get("Attributes") else {}
    yield (
        _aws(
            "sns",
            "subscribe",
            topic_arn=asked["TopicArn"],
            protocol=asked["Protocol"],
            notification_endpoint=asked["Endpoint"],
            **attributes,
            **_region(sheet),
        )
        + " > /dev/null"
    )


def _rule(sheet: Sheet) -> Iterable[str]:
    asked = sheet.document
    region, pattern = _region(sheet), _json(asked["EventPattern"])
    yield _aws("events", "put-rule", name=asked["Name"], event_pattern=pattern, **region) + " > /dev/null"
    put = _aws(
        "events",
        "put-targets",
        rule=asked["Name"],
        targets=_json(asked["Targets"]),
        **region,
        query="FailedEntryCount",
        output="text",
    )  # which ends well also where it does not
    yield f"failed=$({put})"
    yield '[ "$failed" = 0 ] || { echo "EventBridge did not take the queue as a target" >&2; exit 1; }'


def _bucket(sheet: Sheet) -> Iterable[str]:
    there = _aws("s3api", "get-bucket-policy", bucket=sheet.target, query="Policy", output="text")
    put = _aws("s3api", "put-bucket-policy", bucket=sheet.target, policy=Variable("after"))
    fetched = (
        f"there=$({there} 2>&1) || case $there in\n"
        "  *NoSuchBucketPolicy*) there= ;;\n"
        "  *) printf '%s\\n' \"$there\" >&2; exit 1 ;;\n"
        "esac"
    )
    return _added(sheet, fetched, put)


def _key(sheet: Sheet) -> Iterable[str]:
    names: dict[str, Word] = {"key_id": sheet.target, "policy_name": "default"}
    region = _region(sheet)
    there = _aws("kms", "get-key-policy", **names, **region, query="Policy", output="text")
    return _added(
        sheet, f"there=$({there})", _aws("kms", "put-key-policy", **names, **region, policy=Variable("after"))
    )


def _queue(sheet: Sheet) -> Iterable[str]:
    name, region = resource(sheet.target), _region(sheet)
    address = _aws("sqs", "get-queue-url", queue_name=name, **region, query="QueueUrl", output="text")
    asked: dict[str, Word] = {"queue_url": Variable("url"), **region}
    there = _aws(
        "sqs",
        "get-queue-attributes",
        **asked,
        attribute_names="Policy",
        query="Attributes.Policy",
        output="text",
    )
    put = _aws("sqs", "set-queue-attributes", **asked, attributes=Variable("attributes"))
    wrap = 'import json, sys; print(json.dumps({"Policy": sys.argv[1]}))'
    return (
        f"url=$({address})",
        *_added(sheet, f"there=$({there})", f"attributes=$(python3 -c '{wrap}' \"$after\")\n{put}"),
    )


def _notification(sheet: Sheet) -> Iterable[str]:
    there = _aws("s3api", "get-bucket-notification-configuration", bucket=sheet.target, output="json")
    put = _aws(
        "s3api",
        "put-bucket-notification-configuration",
        bucket=sheet.target,
        notification_configuration=Variable("after"),
    )
    return _added(sheet, f"there=$({there})", put)


def _added(sheet: Sheet, fetch: str, put: str) -> Iterable[str]:
    """Ours to what is there."""
    yield fetch
    yield 'keep "$there"'
    yield f"ours={_document(sheet.document)}"
    own = f" {shlex.quote(sheet.name)}" if sheet.place is Place.BUCKET_NOTIFICATION else ""
    yield f'after=$(merged "$there" "$ours"{own})'
    yield put


def _region(sheet: Sheet) -> dict[str, Word]:
    return {"region": sheet.target.split(":")[3]}


def _aws(service: str, operation: str, **options: Word) -> str:
    """One command; options in the words of the API, in snake case."""
    words = [_option(f"--{name.replace('_', '-')}", value) for name, value in options.items()]
    line = " ".join(("aws", service, operation, *words))
    if len(line) <= 120 and "\n" not in line:
        return line
    return " \\\n  ".join((f"aws {service} {operation}", *words))


def _option(name: str, value: Word) -> str:
    if isinstance(value, Variable):
        return f'{name} "${value.name}"'
    if "\0" in value or value.startswith(("file://", "fileb://")):  # the aws CLI would read that file
        raise ConfigError(f"{value!a} cannot be given to a command", remedy="Take another --format")
    between = "=" if value.startswith("-") else " "  # else it would be taken for an option
    return f"{name}{between}{shlex.quote(value)}"


def _json(document: Any) -> str:
    return json.dumps(document, indent=2)


def _document(document: Any) -> str:
    return shlex.quote(_json(document))
