"""Examining: the doctor over a scene, as whoever would run it, with nothing in it remembered from the last time."""

from dataclasses import dataclass, field
from datetime import timedelta

from botocore.session import Session

from chalicelib import wiring
from chalicelib.aws.customers.probes import AwsProbes
from chalicelib.aws.customers.sessions import Sessions
from chalicelib.core.connections import Grant
from chalicelib.core.findings import Finding, Verdict
from chalicelib.core.policies.sheets import Kind, Sheet
from chalicelib.flows.doctor import Doctor
from chalicelib.flows.facts import READERS
from chalicelib.local.account import SECRET, models
from chalicelib.local.project import Project
from chalicelib.local.roles import Role, function_role
from chalicelib.local.stack import Stack
from tests.fakes.stores import FakeJobs, FakeLedger, FakePipelines
from tests.fakes.sweeps import FakeHealth
from tests.fakes.vault import FakeVault
from tests.local.recipes.scenes import Scene

LATER = timedelta(hours=1)  # by when a notification should have come
FAILING = (Verdict.FAIL, Verdict.WARN)


@dataclass
class Surgery:
    """Who examines: our functions' roles, or the operator."""

    roles: dict[str, Role]  # by function
    _sessions: dict[str, Sessions] = field(default_factory=dict)

    def examine(self, scene: Scene, *, about: Sheet | None = None, later: bool = False) -> tuple[Finding, ...]:
        """All findings. `about`: the sheet that is in question; `later`: long after the last object came."""
        probes = AwsProbes(self._as(scene, about), lambda connection: scene.keys)
        grant: Grant = scene.grant
        vault = FakeVault()
        if scene.keys:
            vault.put(grant.connection, scene.keys)
        doctor = Doctor(
            lambda name: grant,
            FakePipelines({scene.name: scene.pipeline}),
            vault,
            FakeHealth(),
            FakeLedger(),
            FakeJobs(),
            probes,
            lambda account: scene.home,
            lambda: wiring.now() + (LATER if later else timedelta()),
        )
        key = None if grant.connection.can_list else "in/first.csv"
        return doctor.examine(scene.name, key=key)

    def _as(self, scene: Scene, about: Sheet | None) -> Sessions:
        """The operator for our own queue; else the function that the sheet is for, or the one that loads."""
        if about is not None and about.kind is Kind.QUEUE:
            return self._session(scene, "", scene.ours.number, SECRET, None)
        names = [name for name in READERS if about and about.target == self.roles[name].arn]
        role = self.roles[names[0] if names else "load"]
        return self._session(scene, role.arn, role.access_key, role.secret_key, role.token)

    def _session(self, scene: Scene, name: str, access: str, secret: str, token: str | None) -> Sessions:
        if name not in self._sessions:
            base = Session()
            base.register_component("data_loader", models())
            base.set_config_variable("region", scene.home.region)
            base.set_config_variable("endpoint_url", scene.endpoint)
            base.set_credentials(access, secret, token)
            self._sessions[name] = Sessions(base)
        return self._sessions[name]


def opened(stack: Stack) -> Surgery:
    """The roles of the functions that read customers' buckets, made in the stack's account."""
    made = {name: function_role(Project(), name, stack) for name in READERS}
    return Surgery({name: role for name, role in made.items() if role is not None})


def named(findings: tuple[Finding, ...], sheet: Sheet, sid: str) -> Finding | None:
    """The finding that names the statement of this sheet; the one that names fewest others, if there are several."""
    wanted = (sheet.kind, sid, sheet.place.value, sheet.target)
    found = [
        each
        for each in findings
        if each.verdict in FAILING and any((m.kind, m.sid, m.place, m.target) == wanted for m in each.missing)
    ]
    return min(found, key=lambda each: len(each.missing), default=None)


def failed(findings: tuple[Finding, ...]) -> dict[str, str]:
    """What is not well, by step."""
    return {each.step: each.evidence for each in findings if each.verdict in FAILING}
