"""Connections as operators make, change and forget them; their keys go into a vault and nowhere else."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from chalicelib.config.access.roles import AssumeRole
from chalicelib.config.connection import METHODS, Connection, parse_connection
from chalicelib.config.pipeline import Pipeline
from chalicelib.core import health as rules
from chalicelib.core.connections import Grant, Kept, new_external_id
from chalicelib.core.keeping import carried, combined, doors, kept
from chalicelib.core.keys import Keys
from chalicelib.errors import ConfigError, TidegateError
from chalicelib.flows.admin import Admin
from chalicelib.flows.ports import HealthStore, Vault

FIXED = ("name", "auth_method")
FAMILIES = (("assume_role",), ("session", "basic"), ("anonymous",), ("default", "profile", "env"))


def _anywhere(connection: Connection) -> None:
    """No endpoint is refused."""


@dataclass(frozen=True, slots=True)
class Edited:
    """A connection after it was changed, and what its operator should know."""

    grant: Grant
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Connecting:
    """Keeps connections, their keys and the pipelines that use them consistent."""

    admin: Admin
    vault: Vault
    health: HealthStore
    now: Callable[[], datetime]
    check: Callable[[Connection], object] = _anywhere  # raises ConfigError where an endpoint is not allowed

    def connect(self, connection: Connection, keys: Keys | None = None) -> Grant:
        """A new connection with an external id of its own, which never changes again (F5).

        The document is stored first, since only that tells whether the name is free: keys never replace another
        connection's. If the vault refuses them, the document goes again; if we die in between, the connection says
        that its keys are missing, and `edit` or `delete` mends it.
        """
        self.check(connection)
        wanted = combined(connection, None, keys, now=self.now())
        grant = Grant(connection, new_external_id(), self.now())
        if not self.admin.connections.add(grant):
            raise taken(connection.name)
        if wanted is None:
            return grant
        try:
            self.vault.put(connection, wanted)
        except BaseException:
            with suppress(TidegateError):
                self.vault.forget(connection)  # a store may have brought back what a namesake's keys were
            self.admin.connections.remove(connection.name)
            raise
        return self._stored(replace(grant, kept=kept(wanted, now=self.now())), keyed=True)

    def edited(self, name: str, changes: Mapping[str, Any], unset: Collection[str] = (), *, where: str) -> Connection:
        """The connection's document with these keys changed and those taken out; nothing is stored.

        Raises ConfigError for what may not change: the name; the owner once there is one, and the customer's account,
        because the external id was given out for them and is never used for anybody else (F5); the method, but for
        those that open the same door.
        """
        before = self.admin.connection(name).connection
        method = METHODS.get(str(changes.get("auth_method", before.auth_method)), type(before))
        written = before.model_dump(mode="json", exclude_none=True)
        document = {key: value for key, value in written.items() if key in method.model_fields} | dict(changes)
        fixed = [key for key in unset if key in FIXED or key not in method.model_fields]
        if fixed:
            raise ConfigError(
                f"{' and '.join(fixed)} cannot be unset", where=where, remedy="Name keys that `connection show` shows"
            )
        after = parse_connection({key: value for key, value in document.items() if key not in unset}, where=where)
        _check_same(before, after)
        return after

    def edit(self, connection: Connection, keys: Keys | None = None) -> Edited:
        """Store a changed connection under its name; keys that are empty stay as they are (F14).

        The keys are stored first: until the document is there too, the old one reads with them, and doing it again
        mends everything. A connection that fails is tried again at once.
        """
        known = self.admin.connection(connection.name)
        _check_same(known.connection, connection)
        self._check_users(connection)
        self.check(connection)
        before = known.connection
        grant = replace(known, connection=connection)
        moved = before.secret_store != connection.secret_store
        rekeyed = keys is not None or moved or doors(before) != doors(connection)
        if rekeyed:
            grant = replace(grant, kept=self._keep(known, connection, keys))
        self._stored(grant, keyed=rekeyed)
        if known.kept is not None and (grant.kept is None or moved):
            self.vault.forget(before)
        self._hurry(connection.name)
        return Edited(grant, tuple(self._shut_out(connection)))

    def disconnect(self, name: str) -> None:
        """Forget a connection that no pipeline needs, its external id and its keys.

        The keys go first: if we die in between, nothing of them is left, and doing it again ends it.
        """
        grant = self.admin.connection(name)
        users = [pipeline.name for pipeline in self.users(name)]
        if users:
            raise ConfigError(
                f"it is used by {', '.join(users)}",
                where=f"connection {name}",
                remedy="Delete these pipelines, or give them another connection, first",
            )
        if grant.kept is not None or grant.connection.needs_keys:
            self.vault.forget(grant.connection)
        self.admin.connections.remove(name)
        self._hurry(name, sound=True)

    def users(self, name: str) -> Sequence[Pipeline]:
        """The pipelines that read over this connection."""
        return [pipeline for pipeline in self.admin.pipelines.all() if pipeline.connection == name]

    def _keep(self, known: Grant, connection: Connection, keys: Keys | None) -> Kept | None:
        old = self.vault.get(known.connection) if known.kept is not None else None
        wanted = combined(connection, carried(known.connection, connection, old), keys, now=self.now())
        if wanted is not None:
            self.vault.put(connection, wanted)
        return kept(wanted, now=self.now())

    def _stored(self, grant: Grant, *, keyed: bool) -> Grant:
        """`keyed`: keys were kept for it. If it is another by now, it must not read with them, nor they outlive it."""
        if not self.admin.connections.put(grant):
            if keyed:
                self.vault.forget(grant.connection)
            raise ConfigError(
                "somebody deleted it meanwhile",
                where=f"connection {grant.connection.name}",
                remedy="Look with `tidegate connection list`, and make it again if it is still wanted",
            )
        return grant

    def _check_users(self, connection: Connection) -> None:
        """No pipeline is shut out by giving its connection an owner; that is never meant."""
        others = [each.name for each in self.users(connection.name) if connection.owner not in (None, each.owner)]
        if others:
            raise ConfigError(
                f"it is used by {', '.join(others)}, which {connection.owner} does not own",
                where=f"connection {connection.name}",
                remedy="Give these pipelines their owner first; nothing was changed",
            )

    def _shut_out(self, connection: Connection) -> list[str]:
        """Pipelines that read what the connection is not for any more."""
        found = (
            (each.name, connection.refusal(each.source.bucket, each.source.listed_prefix, owner=each.owner))
            for each in self.users(connection.name)
        )
        return [f"pipeline {name} reads nothing any more: {why}" for name, why in found if why]

    def _hurry(self, name: str, *, sound: bool = False) -> None:
        """Have a failing connection tried at once; lost races are won by the next trial."""
        health = self.health.get(name)
        after = rules.recovered(health) if sound else rules.hurried(health, now=self.now())
        if after is not None:
            self.health.swap(after)


def taken(name: str) -> ConfigError:
    """The error of a name that another connection has."""
    return ConfigError(
        "this name is taken",
        where=f"connection {name}",
        remedy="Choose another name, or delete it first; a new external id then goes into the trust policy",
    )


def _check_same(before: Connection, after: Connection) -> None:
    why = _another(before, after)
    if why:
        raise ConfigError(
            why,
            where=f"connection {before.name}",
            remedy="Make a new connection, which gets an external id of its own; nothing was changed",
        )


def _another(before: Connection, after: Connection) -> str | None:
    """Why this would be another connection and not the same one changed."""
    if before.name != after.name:
        return "its name never changes"
    if not any({before.auth_method, after.auth_method} <= set(family) for family in FAMILIES):
        return f"its method cannot change from {before.auth_method} to {after.auth_method}"
    if before.owner is not None and before.owner != after.owner:
        return f"its owner stays {before.owner}"
    if (before.account, _side(before)) != (after.account, _side(after)):
        return "its role lies in another account, and an external id is never used for another customer"
    return None


def _side(connection: Connection) -> str | None:
    """The partition of the role: one number is two accounts in two partitions."""
    return connection.partition if isinstance(connection, AssumeRole) else None
