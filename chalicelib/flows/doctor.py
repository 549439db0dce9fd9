"""Doctor: probes a connection step by step, reading only, and says what is missing (F12, F95, W14).

Each step's answer is judged in core.diagnosis; here is only what is asked, in which order, and what is left out
because something before it failed.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parsedate_to_datetime

from chalicelib.config.access.own import Default
from chalicelib.config.access.roles import AssumeRole, ThroughRole, ThroughUser
from chalicelib.config.connection import Connection
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.connections import Grant
from chalicelib.core.diagnosis import arrivals, buckets, identities, objects, roles
from chalicelib.core.diagnosis.answers import Answer, Source, quoted, refusal
from chalicelib.core.diagnosis.roles import Attempt, ExternalId, Narrowed
from chalicelib.core.diagnosis.spots import Spot, chosen
from chalicelib.core.findings import Finding, Verdict
from chalicelib.core.jobs import JobKind
from chalicelib.core.ledger import State
from chalicelib.core.listing import Listed
from chalicelib.core.policies.recipes import sheets
from chalicelib.core.policies.sheets import Facts, Place, Read, Sheet
from chalicelib.errors import TidegateError
from chalicelib.flows.facts import Home, gathered
from chalicelib.flows.ports import HealthStore, Jobs, Ledger, Pipelines, Vault
from chalicelib.flows.probes import Probes

MOST = 20  # prefixes that are probed; each costs about six calls
LAST = 50  # jobs of a pipeline among which the last arrival is sought
NOTHING = "tidegate-doctor-asks-for-a-key-that-is-not-there"
SHORT = 3600  # seconds that every role gives


@dataclass(frozen=True, slots=True)
class Doctor:
    """Examines connections. Nothing is written, neither in the customer's account nor in ours."""

    grant: Callable[[str], Grant]
    pipelines: Pipelines
    vault: Vault
    health: HealthStore
    ledger: Ledger
    jobs: Jobs
    probes: Probes
    home: Callable[[str], Home]  # where we run, by our account's number
    now: Callable[[], datetime]

    def examine(self, name: str, *, bucket: str | None = None, key: str | None = None) -> tuple[Finding, ...]:
        """All findings of one connection; of one bucket, or one object of it, if told.

        Raises ConfigError if there is no such connection, or if it is not for this bucket or key.
        """
        return tuple(self._examine(self.grant(name), bucket, key))

    def _examine(self, grant: Grant, bucket: str | None, key: str | None) -> Iterator[Finding]:
        us = self.probes.ourselves()
        account = us.said.get("account", "")
        facts = gathered(grant, self.pipelines.all(), self.home(account))
        who = identities.ourselves(us, facts.functions, matters=_names_functions(grant.connection, account))
        yield who
        yield identities.access(self.health.get(grant.connection.name))
        if who.verdict is Verdict.FAIL:
            return
        places = chosen(facts, bucket, key)
        stranger = who.verdict is Verdict.WARN
        for finding in _Examination(self, facts, sheets(facts), key).run(places):
            yield identities.doubted(finding) if stranger else finding


@dataclass(frozen=True, slots=True)
class _Examination:
    """One connection, as far as facts and sheets go."""

    doctor: Doctor
    facts: Facts
    sheets: Sequence[Sheet]
    key: str | None

    @property
    def grant(self) -> Grant:
        return self.facts.grant

    @property
    def connection(self) -> Connection:
        return self.facts.grant.connection

    @property
    def probes(self) -> Probes:
        return self.doctor.probes

    def run(self, reads: Sequence[Read]) -> Iterator[Finding]:
        """What comes before the buckets; then each bucket, unless the way there is shut; and our own queue."""
        attempt, queue = (yield from self._way_in()), self._queue()
        if attempt is None:
            yield Finding("bucket", Verdict.SKIPPED, "nothing can be asked before this works")
        elif not reads:
            evidence = "no pipeline reads over this connection yet, and it names no bucket"
            yield Finding("bucket", Verdict.SKIPPED, evidence, "Say which: --bucket BUCKET, and --key KEY of an object")
        else:
            for name in dict.fromkeys(read.bucket for read in reads[:MOST]):
                of_it = [read for read in reads[:MOST] if read.bucket == name]
                yield from self._bucket(name, of_it, attempt, queue)
            if len(reads) > MOST:
                evidence = f"{len(reads) - MOST} more prefixes were not probed"
                yield Finding("list", Verdict.SKIPPED, evidence, "Ask for one bucket with --bucket")
        yield queue

    def _queue(self) -> Finding:
        if self.connection.notify_by == "none":
            return Finding("queue policy", Verdict.SKIPPED, "the connection wants no notifications (notify_by)")
        return arrivals.policed(self.connection, self.probes.queue_policy(self.facts.queue), self.sheets)

    def _way_in(self) -> Generator[Finding, None, Attempt | None]:
        """Keys and roles; at last the way of asking that opened the door, None if it is shut."""
        try:
            kept = self.doctor.vault.get(self.connection) if self.connection.needs_keys else None
        except TidegateError as error:
            yield Finding("keys", Verdict.FAIL, quoted(str(error)), "See that whoever asks may read the secret")
            return None
        keys = identities.keys(self.connection, kept, self.doctor.now())
        if keys is not None:
            yield keys
            if keys.verdict is Verdict.FAIL:
                return None
        if _signs_with_keys(self.connection):
            holder = identities.holder(self.connection, self.probes.holder(self.connection))
            yield holder
            if holder.verdict is Verdict.FAIL:
                return None
        return (yield from self._role(self.connection)) if isinstance(self.connection, AssumeRole) else Attempt()

    def _role(self, connection: AssumeRole) -> Generator[Finding, None, Attempt | None]:
        if isinstance(connection.through, ThroughRole):
            between = roles.between(connection, self.probes.between(self.grant), self.sheets)
            yield between
            if between.verdict is Verdict.FAIL:
                return None
        attempt, answer = Attempt(), self.probes.assume(self.grant, Attempt())
        length = roles.session_length(connection, answer)
        if length.verdict is Verdict.FAIL:
            attempt = Attempt(seconds=min(SHORT, connection.duration_in_seconds - 1))
            answer = self.probes.assume(self.grant, attempt)
        narrowed = self._narrowed(connection, attempt) if answer.denied else Narrowed()
        yield roles.assumed(connection, answer, self.sheets, narrowed)
        if not answer.ok:
            yield Finding("external id", Verdict.SKIPPED, "the role refuses the right one too")
            return None
        yield length
        yield self._external_id(connection, attempt)
        return attempt

    def _narrowed(self, connection: AssumeRole, attempt: Attempt) -> Narrowed:
        """Asks for less, to tell what was too much."""
        tags, identity = bool(connection.session_tags), connection.source_identity is not None
        if not (tags or identity):
            return Narrowed()
        bare = self.probes.assume(self.grant, replace(attempt, tags=False, source_identity=False))
        if not (tags and identity and bare.ok):
            return Narrowed(bare)
        return Narrowed(
            bare,
            tagged=self.probes.assume(self.grant, replace(attempt, source_identity=False)),
            identified=self.probes.assume(self.grant, replace(attempt, tags=False)),
        )

    def _external_id(self, connection: AssumeRole, attempt: Attempt) -> Finding:
        if not roles.demands_external_id(connection, self.sheets):
            return Finding("external id", Verdict.SKIPPED, "the printed trust policy demands none")
        without = self.probes.assume(self.grant, replace(attempt, external_id=ExternalId.NONE))
        wrong = self.probes.assume(self.grant, replace(attempt, external_id=ExternalId.WRONG))
        return roles.external_id(connection, without, wrong, self.sheets)

    def _bucket(self, name: str, reads: Sequence[Read], attempt: Attempt, queue: Finding) -> Iterator[Finding]:
        places = [Spot(self.grant, name, read.prefix, attempt) for read in reads]
        head = self.probes.bucket(places[0])
        silent = head.denied and buckets.REGION not in head.headers
        there = buckets.bucket(self.connection, name, self.probes.list(places[0]) if silent else head)
        yield there
        if there.verdict is Verdict.FAIL:
            return
        newest: dict[str, datetime | None] = {}
        for spot, read in zip(places, reads, strict=True):
            yield from self._spot(spot, read, newest, tells=head.ok)
        told = self.probes.notification(places[0])
        configured = arrivals.configured(self.connection, name, reads, told, self.facts.queue, self.sheets)
        yield configured
        looked = ((Place.BUCKET_NOTIFICATION, configured), (Place.QUEUE_POLICY, queue))
        sound = [place for place, finding in looked if finding.verdict is Verdict.OK]
        heard = self._heard(name, newest)
        yield arrivals.arrived(self.connection, name, heard, self.sheets, self.doctor.now(), sound)

    def _spot(self, spot: Spot, read: Read, newest: dict[str, datetime | None], *, tells: bool) -> Iterator[Finding]:
        """One prefix, and when its newest object was written; with the first, what holds for the whole bucket."""
        first, listed = not newest, self.probes.list(spot)
        newest[read.prefix] = _newest(listed)
        key = self.key or _chosen(listed) or (f"{spot.prefix}{NOTHING}" if listed.ok else self._known(spot))
        asks = _unexplained(listed) and self.connection.can_list and not self.connection.requester_pays
        paid = self.probes.list(spot, pays=True) if asks else None
        yield buckets.listing(self.connection, spot.bucket, spot.prefix, listed, self.sheets, paid, whole=tells)
        yield buckets.archive(spot.bucket, spot.prefix, listed)
        answer = listed
        if key is None:
            evidence = "we may not list, so that no object is known"
            yield Finding("get", Verdict.SKIPPED, evidence, "Name one: --key KEY", subject=str(spot))
        elif paid is None or not paid.ok:
            shown = any(each.ref.key == key for each in listed.listed)
            probed = self._probed(spot, key, tells=tells, shown=shown)
            newest[read.prefix] = newest[read.prefix] or _modified(probed.head)
            if not self.connection.can_list:
                answer = probed.get
                asks = _unexplained(answer) and not self.connection.requester_pays
                paid = self.probes.get(spot, key, pays=True) if asks else None
            yield from self._object(spot, read, probed)
        if first:
            yield buckets.payer(self.connection, spot.bucket, answer, paid)
            yield self._owner(spot, key, listed)

    def _probed(self, spot: Spot, key: str, *, tells: bool, shown: bool) -> objects.Probed:
        head, get = self.probes.head(spot, key), self.probes.get(spot, key)
        return objects.Probed(self.connection, spot.bucket, key, head, get, tells, shown, key.endswith(NOTHING))

    def _object(self, spot: Spot, read: Read, probed: objects.Probed) -> Iterator[Finding]:
        yield objects.headed(probed)
        yield objects.got(probed, self.sheets)
        version = probed.head.headers.get("x-amz-version-id", "null")
        asked = probed.get.ok and version != "null"
        answer = self.probes.get(spot, probed.key, version=version) if asked else None
        yield objects.versioned(probed, answer, self.sheets)
        yield objects.decrypted(probed, self._sheets_with(objects.key_of(probed)))
        if read.tags:
            yield objects.tagged(probed, self.probes.tags(spot, probed.key), self.sheets)

    def _sheets_with(self, key: str | None) -> Sequence[Sheet]:
        """The sheets as they are once the connection names the key that is really used."""
        if key is None or key in self.connection.kms_keys:
            return self.sheets
        connection = self.connection.model_copy(update={"kms_keys": (*self.connection.kms_keys, key)})
        return sheets(replace(self.facts, grant=replace(self.grant, connection=connection)))

    def _owner(self, spot: Spot, key: str | None, listed: Answer) -> Finding:
        expected = self.connection.expected_owner(self.facts.ours)
        without, with_it = listed, None
        if expected is not None and listed.ok:
            with_it = self.probes.list(spot, owner=expected)
        elif expected is not None and key is not None:
            without = self.probes.get(spot, key)
            with_it = self.probes.get(spot, key, owner=expected) if without.ok else without
        elif expected is not None:
            with_it = listed
        return buckets.owner(self.connection, spot.bucket, expected, without, with_it)

    def _known(self, spot: Spot) -> str | None:
        """A key that was loaded before; a bucket that we may not list tells none."""
        for pipeline in self._readers(spot.bucket):
            if pipeline.source.listed_prefix == spot.prefix:
                found = self.doctor.ledger.entries(pipeline.name, state=State.COMMITTED, limit=1)
                if found:
                    return found[0].key
        return None

    def _heard(self, bucket: str, newest: dict[str, datetime | None]) -> list[arrivals.Heard]:
        return [
            arrivals.Heard(p.name, self._last_arrival(p.name), newest.get(p.source.listed_prefix))
            for p in self._readers(bucket)
        ]

    def _last_arrival(self, pipeline: str) -> datetime | None:
        jobs = self.doctor.jobs.history(pipeline, limit=LAST)
        return next((job.created_at for job in jobs if job.kind is JobKind.ARRIVAL), None)

    def _readers(self, bucket: str) -> list[Pipeline]:
        found = self.doctor.pipelines.watching(bucket)
        return [each for each in found if each.connection == self.connection.name]


def _names_functions(connection: Connection, account: str) -> bool:
    """True if policies name our functions' roles, so that whoever sits at a terminal fares otherwise."""
    if isinstance(connection, AssumeRole):
        return not isinstance(connection.through, ThroughUser) and (
            connection.account == account or isinstance(connection.through, ThroughRole)
        )
    return isinstance(connection, Default)


def _signs_with_keys(connection: Connection) -> bool:
    through_user = isinstance(connection, AssumeRole) and isinstance(connection.through, ThroughUser)
    return through_user or connection.auth_method in ("session", "basic")


def _unexplained(answer: Answer) -> bool:
    """Denied without a word of any policy, as a bucket answers that lets in only who pays."""
    return answer.denied and refusal(answer).source is Source.UNTOLD and "kms:" not in answer.message


def _chosen(listed: Answer) -> str | None:
    """The newest object that has bytes and can be read."""
    found = [each for each in listed.listed if not each.archived and each.ref.size > 0]
    return max(found, key=_written).ref.key if found else None


def _newest(listed: Answer) -> datetime | None:
    return max((_written(each) for each in listed.listed), default=None)


def _modified(head: Answer) -> datetime | None:
    text = head.headers.get("last-modified")
    return parsedate_to_datetime(text) if text else None


def _written(each: Listed) -> datetime:
    return each.ref.created_at
