"""What a finding advises where it does not depend on one step."""

from chalicelib.core.diagnosis.answers import Answer, Refusal, Source
from chalicelib.core.findings import Finding, Missing, Verdict

WHO = {
    Source.SCP: "The organization of {whose} forbids it by a service control policy: its administrators must allow it",
    Source.RCP: "The organization of {whose} forbids it by a resource control policy: its administrators must allow it",
    Source.BOUNDARY: "The permissions boundary of the role or user does not allow it: its admin must widen it",
    Source.SESSION: "The session policy that Tidegate gives each session does not allow it: this bucket, prefix or "
    "bucket owner is not the connection's",
    Source.ENDPOINT: "The policy of the VPC endpoint that the request went through does not allow it: allow the bucket "
    "(and the action) there",
}
DENY = {
    Source.RESOURCE: "The bucket's (or key's) own policy has a Deny that holds for us: take it out, or except the role "
    "from it. An Allow does not help against it",
    Source.IDENTITY: "A policy of the role or user has a Deny that holds here: take it out. An Allow does not help "
    "against it",
    Source.TRUST: "The role's trust policy has a Deny that holds for us: take it out",
}
CLOCK = "Set this machine's clock: AWS refuses what is signed more than 15 minutes off"
KEYLESS = "Sign in, or check which profile and which keys this is to sign with"
NETWORK = "Check the connection's endpoint, region and http_proxy, DNS, and the network in between"


def network(step: str, answer: Answer, *, subject: str = "", keys: str = "") -> Finding | None:
    """The finding where the call failed before anybody looked at permissions; None if it did not.

    `keys`: what to do about keys that have ended or are unknown.
    """
    if answer.silent:
        unsigned = answer.code.startswith(("Credentials", "NoCredentials", "ProfileNotFound"))
        advice = (keys or KEYLESS) if unsigned else NETWORK
    elif answer.skewed:
        advice = CLOCK
    elif answer.expired:
        advice = keys or "Sign in again"
    elif answer.stranger:
        advice = keys or "Check the profile or the access key in the environment"
    else:
        return None
    return Finding(step, Verdict.FAIL, answer.words, advice, subject=subject)


def who_must_act(told: Refusal, *, whose: str) -> str | None:
    """Whom AWS's words point at, where no statement of ours would help; None where one would."""
    if told.explicit and told.source in DENY:
        return DENY[told.source]
    return WHO[told.source].format(whose=whose) if told.source in WHO else None


def to_add(missing: tuple[Missing, ...], name: str) -> str:
    """The first of the statements in one sentence."""
    if not missing:
        return f"Compare what is there with what `tidegate policy {name}` prints"
    first = missing[0]
    where = f"in account {first.account}" if first.account else "in the account that owns it"
    more = "; or one of the others below, which explain it as well" if len(missing) > 1 else ""
    keys = sorted({key for each in first.statement.get("Condition", {}).values() for key in each})
    holds = f", so that its condition on {' and '.join(keys)} holds" if keys else ""
    return f"Add statement {first.sid} to {first.place} ({first.target}), {where}, or correct it there{holds}{more}"
