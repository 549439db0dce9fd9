"""One customer for each recipe, and for what may be chosen beside."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from chalicelib.config.connection import parse_connection
from chalicelib.core.connections import Grant
from chalicelib.core.policies.sheets import Facts, Read

OURS = "111111111111"
THEIRS = "222222222222"
OTHERS = "333333333333"
QUEUE = f"arn:aws:sqs:us-east-1:{OURS}:tidegate-arrivals"
FUNCTIONS = (f"arn:aws:iam::{OURS}:role/tidegate-load", f"arn:aws:iam::{OURS}:role/tidegate-sweep")
EXTERNAL_ID = "a347a2b9f2ec2ff71143abd83ab35e25a69d9834d3621a00f6f14259fe1be06e"
READS = (Read("acme-exports", "flights/"),)
ROLE = f"arn:aws:iam::{THEIRS}:role/tidegate-reader"
INGEST = f"arn:aws:iam::{OURS}:role/ingest"
BETWEEN = {"type": "role", "role_arn": f"arn:aws:iam::{OURS}:role/service/ImportConnector"}
KEY = f"arn:aws:kms:us-east-1:{THEIRS}:key/0c0ffee0-1111-2222-3333-444455556666"


def facts(document: Mapping[str, Any] | None = None, **more: Any) -> Facts:
    """A connection through the customer's role, unless the document says otherwise, and what is known beside."""
    made = dict(document or {})
    if made.get("auth_method", "assume_role") == "assume_role":
        made = {"role_arn": ROLE} | made
    grant = Grant(
        parse_connection({"name": "acme"} | made, where="example"), EXTERNAL_ID, datetime(2026, 11, 22, tzinfo=UTC)
    )
    usual = {"region": "us-east-1", "queue": QUEUE, "functions": FUNCTIONS, "reads": READS}
    return Facts(grant, OURS, **(usual | more))


def through_user(account: str) -> dict[str, Any]:
    return {"through": {"type": "user", "user_arn": f"arn:aws:iam::{account}:user/tidegate"}, "notify_by": "none"}


EXAMPLES = {
    "cross-account-role": facts(),
    "session-tags-and-source-identity": facts(
        {
            "role_arn": f"arn:aws:iam::{THEIRS}:role/partners/tidegate-reader",
            "session_name": "tidegate-acme",
            "session_tags": {"project": "flights", "stage": "prod"},
            "source_identity": "tidegate",
            "notify_by": "none",
        }
    ),
    "same-account": facts({"auth_method": "default"}),
    "same-account-role": facts({"role_arn": INGEST, "bucket_owner": OURS}),
    "bucket-policy-to-ingest-role": facts({"role_arn": INGEST, "bucket_owner": THEIRS, "can_list": False}),
    "bucket-policy-to-functions": facts({"auth_method": "default", "bucket_owner": THEIRS}),
    "user-then-role": facts(through_user(THEIRS)),
    "user-of-another-account": facts(through_user(OTHERS) | {"session_tags": {"project": "flights"}}),
    "role-then-role": facts({"through": BETWEEN, "notify_by": "none"}),
    "session-principal": facts(
        {"through": BETWEEN | {"principal": "session", "session_name": "acme-import"}, "notify_by": "none"}
    ),
    "kms": facts({"kms_keys": [KEY], "notify_by": "none"}),
    "kms-of-another-account": facts({"kms_keys": [KEY.replace(THEIRS, OTHERS)], "notify_by": "none"}),
    "sns": facts({"notify_by": "sns"}),
    "eventbridge": facts({"notify_by": "eventbridge"}),
    "eventbridge-same-account": facts({"auth_method": "default", "notify_by": "eventbridge"}),
    "pasted-keys": facts({"auth_method": "basic", "bucket_owner": THEIRS}),
    "public-bucket": facts({"auth_method": "anonymous", "notify_by": "none"}),
    "several-pipelines": facts(
        {"kms_keys": [KEY]},
        reads=(
            Read("acme-exports", "flights/", removals=True),
            Read("acme-exports", "flights/2026/"),
            Read("acme-exports", "photos/", tags=True),
            Read("acme-logs", ""),
        ),
    ),
    "china": facts(
        {
            "role_arn": f"arn:aws-cn:iam::{THEIRS}:role/tidegate-reader",
            "arn_partition": "aws-cn",
            "region": "cn-north-1",
            "kms_keys": [f"arn:aws-cn:kms:cn-north-1:{THEIRS}:key/0c0ffee0-1111-2222-3333-444455556666"],
        },
        region="cn-north-1",
        queue=f"arn:aws-cn:sqs:cn-north-1:{OURS}:tidegate-arrivals",
        functions=(f"arn:aws-cn:iam::{OURS}:role/tidegate-load",),
    ),
}
