"""Where MiniStack 1.5.33 lets through, or stops, what AWS does not: mended in its own process.

Each function mends one thing and says how AWS is. `guardian.py` runs this file under MiniStack's interpreter, by its
path: it imports nothing but the standard library and MiniStack. `docs/local.md` lists what is mended.
"""

# MiniStack has no seam for any of this, so that its private names are replaced.
# ruff: noqa: SLF001

import json
import re
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

Answer = tuple[int, dict[str, str], Any]


def mend() -> None:
    """Do all of it, before MiniStack serves its first request."""
    honour_ranges_of_versions()
    name_batches_as_iam_does()
    name_what_glue_is_asked_for()
    name_the_caller_to_foreign_buckets()
    honour_expected_owners()
    know_whose_bucket_it_is()
    call_sessions_by_their_role()
    ask_the_key_before_giving_an_object()
    let_trust_policies_suffice_within_an_account()
    guard_tags_and_source_identity()
    say_what_is_subscribed()
    let_rules_reach_queues_of_other_accounts()


def honour_ranges_of_versions() -> None:
    """MiniStack answers GetObject with `versionId` and `Range` with the whole object; S3 with the range."""
    from ministack.services import s3

    whole = s3._get_object

    def ranged(bucket: str, key: str, headers: dict[str, str], query: Any = None) -> Answer:
        status, answer, body = whole(bucket, key, headers, query)
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", headers.get("range", ""))
        if status != 200 or asked is None or not isinstance(body, bytes):
            return status, answer, body
        first, last = int(asked[1]), min(int(asked[2] or len(body)), len(body) - 1)
        part = body[first : last + 1]
        return (
            206,
            {**answer, "Content-Length": str(len(part)), "Content-Range": f"bytes {first}-{last}/{len(body)}"},
            part,
        )

    s3._get_object = ranged


def name_batches_as_iam_does() -> None:
    """MiniStack asks for sqs:SendMessageBatch and the like, which IAM does not know: AWS asks for sqs:SendMessage.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
    """
    from ministack.core import iam_actions

    name = iam_actions.extract_iam_action

    def known(*args: Any, **more: Any) -> str | None:
        action: str | None = name(*args, **more)
        return action.removesuffix("Batch") if action and action.startswith("sqs:") else action

    iam_actions.extract_iam_action = known


def name_what_glue_is_asked_for() -> None:
    """MiniStack asks policies about the resource `*` for Glue; AWS about catalog, database and table.

    Of the three that AWS asks for, this asks for the innermost.
    https://docs.aws.amazon.com/glue/latest/dg/glue-specifying-resource-arns.html
    """
    from ministack.core import iam_actions

    name = iam_actions.extract_resource_arn

    def named(service: str, method: str, path: str, headers: Any, body: bytes, *more: Any) -> str:
        if service != "glue":
            return str(name(service, method, path, headers, body, *more))
        asked, region, account = json.loads(body or b"{}"), more[-2], more[-1]
        database = asked.get("DatabaseName")
        table = (asked.get("TableInput") or asked).get("Name") or asked.get("TableName") if database else None
        database = database or asked.get("Name") or (asked.get("DatabaseInput") or {}).get("Name")
        place = f"table/{database}/{table}" if table else f"database/{database}" if database else "catalog"
        return f"arn:aws:glue:{region}:{account}:{place}"

    iam_actions.extract_resource_arn = named


def name_the_caller_to_foreign_buckets() -> None:
    """MiniStack asks a foreign bucket's policy about the caller's account; S3 about the caller, role or user."""
    from ministack.core import iam_evaluator

    judge = iam_evaluator.evaluate_resource_policy

    def exact(doc: Any, ctx: Any, *args: Any, **more: Any) -> Any:
        caller = iam_evaluator.caller_arn()
        vague = ctx.principal_arn == f"arn:aws:iam::{ctx.principal_account}:root"
        if vague and ctx.action.startswith("s3:") and f":{ctx.principal_account}:" in caller:
            ctx = replace(ctx, principal_arn=caller)
        return judge(doc, ctx, *args, **more)

    iam_evaluator.evaluate_resource_policy = exact


def honour_expected_owners() -> None:
    """MiniStack ignores `x-amz-expected-bucket-owner`; S3 refuses if the bucket is another account's."""
    from ministack.services import s3

    scope = s3._apply_bucket_scope

    def owned(method: str, bucket: str, key: str, headers: dict[str, str], *args: Any, **more: Any) -> Any:
        expected = headers.get("x-amz-expected-bucket-owner")
        owner = s3._bucket_owner_account(bucket) if bucket and expected else None
        if owner is not None and owner != expected:
            return s3._error("AccessDenied", "Access Denied", 403, f"/{bucket}/{key}" if key else f"/{bucket}")
        return scope(method, bucket, key, headers, *args, **more)

    s3._apply_bucket_scope = owned


def know_whose_bucket_it_is() -> None:
    """MiniStack takes every bucket for the caller's in aws:ResourceAccount; AWS knows its owner."""
    from ministack.core import iam_evaluator
    from ministack.services import s3

    resolve = iam_evaluator._resolve_condition_key

    def resolved(key: str, ctx: Any) -> Any:
        if key.lower() in ("aws:resourceaccount", "s3:resourceaccount") and ctx.resource_arn.startswith(
            "arn:aws:s3:::"
        ):
            return s3._bucket_owner_account(ctx.resource_arn.split(":::")[1].split("/")[0]) or ctx.principal_account
        return resolve(key, ctx)

    iam_evaluator._resolve_condition_key = resolved


def call_sessions_by_their_role() -> None:
    """In aws:PrincipalArn MiniStack has the session's ARN; AWS the role's, with its path."""
    from ministack.core import iam_evaluator
    from ministack.services import iam

    resolve = iam_evaluator._resolve_condition_key

    def resolved(key: str, ctx: Any) -> Any:
        if key.lower() == "aws:principalarn" and ":assumed-role/" in ctx.principal_arn:
            name = iam_evaluator._role_name_from_assumed_arn(ctx.principal_arn)
            role = iam._roles.get_scoped(ctx.principal_account, None, name)
            return role["Arn"] if role else ctx.principal_arn
        return resolve(key, ctx)

    iam_evaluator._resolve_condition_key = resolved


def ask_the_key_before_giving_an_object() -> None:
    """MiniStack gives an SSE-KMS object to whoever may read it; S3 only with kms:Decrypt on its key (F16).

    Identity policy and key policy must both allow, across accounts too. An object whose key nobody made is given.
    """
    from ministack.services import s3

    open_object = s3._get_object

    def decrypted(bucket: str, key: str, headers: dict[str, str], query: Any = None) -> Answer:
        answer: Answer = open_object(bucket, key, headers, query)
        lock = answer[1].get("x-amz-server-side-encryption-aws-kms-key-id", "") if answer[0] in (200, 206) else ""
        denial = _decrypt_denied(lock, bucket, key, headers, query or {})
        return s3._error("AccessDenied", denial, 403, f"/{bucket}/{key}") if denial else answer

    s3._get_object = decrypted


def _decrypt_denied(lock: str, bucket: str, key: str, headers: dict[str, str], query: dict[str, Any]) -> str:
    """S3's words if the caller may not decrypt with the key `lock`, an ARN; empty if it may."""
    from ministack.core import iam_evaluator as iam
    from ministack.core.responses import get_account_id, get_region, request_scope
    from ministack.core.router import extract_access_key_id
    from ministack.services import kms

    if not lock.startswith("arn:aws:kms:"):
        return ""
    region, owner = lock.split(":")[3:5]
    with request_scope(owner, region):
        known = kms._resolve_key(lock)
    caller = iam.caller_arn()
    principal = iam.resolve_principal(extract_access_key_id(headers, query), caller.split(":")[4] or get_account_id())
    if known is None or isinstance(principal, iam.AuthError) or principal.policies is None:
        return ""
    ctx = iam.EvalContext(
        principal_arn=principal.arn, principal_type=principal.type, principal_account=principal.account,
        action="kms:Decrypt", resource_arn=lock, region=region, principal_keys=principal.keys,
        service_context={
            "kms:viaservice": f"s3.{get_region()}.amazonaws.com",
            "kms:calleraccount": principal.account,
            "kms:encryptioncontext:aws:s3:arn": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/{key}"],
        },
    )  # fmt: skip
    own = iam.evaluate(ctx, principal.policies, *principal.limits)
    both = iam.combine_resource_policy(
        own, ctx, known.get("Policy") or "", owner, required=True, limits=principal.limits
    )
    if both.decision == "Allow":
        return ""
    kind = "resource" if own.decision == "Allow" else "identity"
    return (
        f"User: {principal.arn} is not authorized to perform: kms:Decrypt on resource: {lock} "
        f"because no {kind}-based policy allows the kms:Decrypt action"
    )


def let_trust_policies_suffice_within_an_account() -> None:
    """MiniStack wants the caller's own policy to allow sts:AssumeRole; AWS does not where role and caller are of one
    account and the trust policy names the caller itself.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics-single-account.html
    """
    from ministack.core import iam_evaluator

    judge = iam_evaluator.enforce

    def enforced(access_key: str, action: str, service: str, region: str, resource_arn: str = "*", **more: Any) -> Any:
        denied = judge(access_key, action, service, region, resource_arn=resource_arn, **more)
        silent = getattr(denied, "decision", "") == "ImplicitDeny"
        return None if silent and action == "sts:AssumeRole" and _is_trusted_by_name(resource_arn) else denied

    iam_evaluator.enforce = enforced


def _is_trusted_by_name(role_arn: str) -> bool:
    """Whether the role is of the caller's account and its trust policy names the caller, not only the account."""
    from ministack.core import iam_evaluator as iam
    from ministack.services import iam as users

    account, caller = (role_arn.split(":") + [""] * 5)[4], iam.caller_arn()
    role = users._roles.get_scoped(account, None, role_arn.rsplit("/", 1)[-1])
    if role is None or caller.split(":")[4] != account:
        return False
    trust = json.loads(role.get("AssumeRolePolicyDocument") or "{}").get("Statement", [])
    return any(each["Effect"] == "Allow" and iam._names_caller(each.get("Principal"), caller) for each in trust)


_source_identity: ContextVar[str | None] = ContextVar("tidegate_source_identity", default=None)


def guard_tags_and_source_identity() -> None:
    """MiniStack takes any SourceIdentity, and tags from whoever the trust policy lets tag.

    STS wants the trust policy to allow sts:SetSourceIdentity, with sts:SourceIdentity as a condition, and the
    caller's own policy to allow both, sts:TagSession and sts:SetSourceIdentity.
    """
    from ministack.core import iam_evaluator
    from ministack.services import sts

    judge, read_tags = iam_evaluator.evaluate_trust_policy, sts._session_tags

    def knowing(trust: Any, caller: str, ctx: Any = None) -> bool:
        if ctx is not None and _source_identity.get():
            ctx = replace(ctx, service_context={**ctx.service_context, "sts:sourceidentity": _source_identity.get()})
        return bool(judge(trust, caller, ctx))

    def guarded(params: Any, check: bool = True) -> Any:
        _source_identity.set(sts._p(params, "SourceIdentity", None) or None)
        tags, error = read_tags(params, check)
        refused = None if error else _session_denied(params, bool(tags))
        return (None, sts._error(403, "AccessDenied", refused, ns="sts")) if refused else (tags, error)

    iam_evaluator.evaluate_trust_policy, sts._session_tags = knowing, guarded


def _session_denied(params: Any, tagged: bool) -> str:
    """STS's words if the caller may not set what the session is to carry; empty if it may, or sets nothing."""
    from ministack.core import iam_evaluator as iam
    from ministack.core.responses import get_account_id, get_region
    from ministack.services import iam as users
    from ministack.services import sts

    arn, key = sts._p(params, "RoleArn"), iam._verified_key.get()
    principal = iam.resolve_principal(key, get_account_id()) if key else None
    role = users._roles.get_scoped(arn.split(":")[4], None, arn.rsplit("/", 1)[-1])
    if role is None or isinstance(principal, iam.AuthError):
        return ""
    ctx = iam.EvalContext(
        principal_arn=iam.caller_arn(), principal_type="AssumedRole", principal_account=get_account_id(),
        action="sts:AssumeRole", resource_arn=arn, region=get_region(),
        principal_keys=principal.keys if principal else {},
        service_context={
            "sts:externalid": sts._p(params, "ExternalId", None),
            "sts:rolesessionname": sts._p(params, "RoleSessionName", None),
            "sts:sourceidentity": _source_identity.get(),
        },
    )  # fmt: skip
    trust = role.get("AssumeRolePolicyDocument", "{}")
    if not iam.evaluate_trust_policy(trust, ctx.principal_arn, ctx):
        return ""  # STS refuses the role itself first, in MiniStack's own words
    wanted = {"sts:SetSourceIdentity": _source_identity.get() is not None, "sts:TagSession": tagged}
    for action in [action for action, asked in wanted.items() if asked]:
        sought = replace(ctx, action=action)
        own = _is_trusted_by_name(arn) or _allows(principal, sought)
        trusted = action == "sts:TagSession" or iam.evaluate_trust_policy(trust, ctx.principal_arn, sought)
        if not (own and trusted):
            return f"User: {ctx.principal_arn} is not authorized to perform: {action} on resource: {arn}"
    return ""


def _allows(principal: Any, ctx: Any) -> bool:
    """Whether the principal's own policies allow it; None stands for an account's root."""
    from ministack.core import iam_evaluator as iam

    if principal is None or principal.policies is None:
        return True
    return bool(iam.evaluate(ctx, principal.policies, *principal.limits).decision == "Allow")


_subscribed: ContextVar[dict[str, str]] = ContextVar("tidegate_subscribed", default={})  # noqa: B039 - never changed


def say_what_is_subscribed() -> None:
    """MiniStack's topics know no sns:Protocol and sns:Endpoint, with which a policy says who may subscribe what."""
    from ministack.core import iam_evaluator
    from ministack.services import sns

    judge, subscribe = iam_evaluator.resource_policy_allows, sns._subscribe

    def knowing(policy: Any, ctx: Any, same_account: bool) -> bool:
        ctx = replace(ctx, service_context={**ctx.service_context, **_subscribed.get()})
        return bool(judge(policy, ctx, same_account))

    def said(params: Any) -> Any:
        asked = {"sns:protocol": sns._p(params, "Protocol"), "sns:endpoint": sns._p(params, "Endpoint")}
        token = _subscribed.set(asked)
        try:
            return subscribe(params)
        finally:
            _subscribed.reset(token)

    iam_evaluator.resource_policy_allows, sns._subscribe = knowing, said


_carrier: ContextVar[bool] = ContextVar("tidegate_rule_may_reach_the_queue", default=False)


def let_rules_reach_queues_of_other_accounts() -> None:
    """MiniStack's rules reach no other account; EventBridge's do, as the role that the target names.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-cross-account.html
    """
    from ministack.services import eventbridge

    invoke, near = eventbridge._invoke_target, eventbridge._target_matches_request_scope

    def carried(target: dict[str, Any], *args: Any) -> Any:
        token = _carrier.set(_may_send(target))
        try:
            return invoke(target, *args)
        finally:
            _carrier.reset(token)

    def within_reach(spec: Any) -> bool:
        return bool(near(spec)) or (spec.service == "sqs" and _carrier.get())

    eventbridge._invoke_target, eventbridge._target_matches_request_scope = carried, within_reach


def _may_send(target: dict[str, Any]) -> bool:
    """Whether a target's role, of the rule's own account, may write to the queue that the target is."""
    from ministack.core import iam_evaluator as iam
    from ministack.core.responses import get_account_id, get_region
    from ministack.services import iam as users
    from ministack.services import sqs

    arn, name, account = target.get("Arn", ""), target.get("RoleArn", "").rsplit("/", 1)[-1], get_account_id()
    role = users._roles.get_scoped(account, None, name) if name else None
    if role is None or f":sqs:{get_region()}:" not in arn:
        return False
    trust = json.loads(role.get("AssumeRolePolicyDocument") or "{}").get("Statement", [])
    if not any(iam._service_principal_matches(each.get("Principal"), "events.amazonaws.com") for each in trust):
        return False
    ctx = iam.EvalContext(
        principal_arn=f"arn:aws:sts::{account}:assumed-role/{name}/events", principal_type="AssumedRole",
        principal_account=account, action="sqs:SendMessage", resource_arn=arn, region=get_region(),
    )  # fmt: skip
    own = iam.evaluate(ctx, iam._gather_role_policies(name, account))
    both = iam.combine_resource_policy(own, ctx, *(sqs.queue_policy_for_arn(arn) or ("", None)))
    return bool(both.decision == "Allow")
