"""Connections are made, changed and forgotten without leaving half of anything (F5, F14, P9)."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.config.connection import Connection, parse_connection
from chalicelib.core.connections import Kept, standing
from chalicelib.core.health import Health
from chalicelib.core.keys import Keys
from chalicelib.errors import AccessDenied, ConfigError
from chalicelib.flows.admin import Admin
from chalicelib.flows.connecting import Connecting
from tests.examples import START, grant, pipeline
from tests.fakes.stores import FakeConnections, FakePipelines
from tests.fakes.sweeps import FakeHealth
from tests.fakes.vault import FakeVault
from tests.flows.world import World

ID, OTHER_ID = "AKIAEXAMPLEEXAMPLE12", "AKIAEXAMPLEEXAMPLE99"
PAIR = Keys(ID, "secret-one")
SESSION_KEYS = Keys("ASIAEXAMPLEEXAMPLE12", "secret-one", "token-one", START + timedelta(hours=6))


class Died(BaseException):
    """The process is gone."""


@dataclass
class BrokenVault(FakeVault):
    """Refuses to keep, or dies at it."""

    error: BaseException = field(default_factory=lambda: AccessDenied("refused"))

    def put(self, connection: Connection, keys: Keys) -> None:
        raise self.error


def connecting(vault: FakeVault | None = None, **more: Any) -> Connecting:
    admin = Admin(FakeConnections(), FakePipelines(), lambda _: None, lambda _: None)
    return Connecting(admin, vault or FakeVault(), FakeHealth(), lambda: START, **more)


def spec(method: str = "basic", **fields: Any) -> Connection:
    return parse_connection({"name": "acme", "auth_method": method, **fields}, where="test")


def edited(flow: Connecting, unset: tuple[str, ...] = (), keys: Keys | None = None, **changes: Any) -> Any:
    return flow.edit(flow.edited("acme", changes, unset, where="test"), keys)


# making


def test_each_connection_gets_an_external_id_of_its_own_and_a_new_one_when_made_again() -> None:
    flow = connecting()
    ids = [flow.connect(grant(name=name).connection).external_id for name in ("acme", "beta")]
    flow.disconnect("acme")
    ids.append(flow.connect(grant().connection).external_id)
    assert len(set(ids)) == 3
    assert all(len(one) == 64 and int(one, 16) for one in ids)


def test_a_name_is_taken_once_and_neither_its_id_nor_its_keys_change_by_that() -> None:
    flow = connecting()
    first = flow.connect(spec(), PAIR)
    with pytest.raises(ConfigError, match="taken"):
        flow.connect(spec(region="eu-west-1"), Keys(OTHER_ID, "secret-two"))
    assert flow.admin.connection("acme") == first
    assert flow.vault.get(first.connection) == PAIR


def test_keys_are_in_the_vault_and_nowhere_else() -> None:
    flow = connecting()
    made = flow.connect(spec("session"), SESSION_KEYS)
    assert flow.vault.get(made.connection) == SESSION_KEYS
    assert made.kept is not None
    assert (made.kept.access_key, made.kept.expires_at) == ("****LE12", SESSION_KEYS.expires_at)
    assert not {"secret-one", "token-one", SESSION_KEYS.access_key_id} & set(repr(made).replace("'", " ").split())


def test_keys_that_are_missing_are_asked_for_before_anything_is_stored() -> None:
    flow = connecting()
    with pytest.raises(ConfigError, match="must be given"):
        flow.connect(spec())
    assert flow.admin.connections.all() == []


@pytest.mark.parametrize("error", [AccessDenied("refused"), Died()], ids=["refused", "interrupted"])
def test_a_connection_whose_keys_cannot_be_kept_is_not_made(error: BaseException) -> None:
    flow = connecting(BrokenVault(error=error))
    with pytest.raises(type(error)):
        flow.connect(spec(), PAIR)
    assert flow.admin.connections.all() == []


def test_who_dies_before_the_keys_are_kept_leaves_a_connection_that_says_so() -> None:
    """The worst moment: nothing runs any more that could take the document back."""

    class Gone(FakeConnections):
        def remove(self, name: str) -> bool:
            raise Died

    admin = Admin(Gone(), FakePipelines(), lambda _: None, lambda _: None)
    with pytest.raises(Died):
        Connecting(admin, BrokenVault(error=Died()), FakeHealth(), lambda: START).connect(spec(), PAIR)
    flow = Connecting(admin, FakeVault(), FakeHealth(), lambda: START)
    assert standing(flow.admin.connection("acme"), Health("acme"), START) == "keys missing"
    assert standing(edited(flow, keys=PAIR).grant, Health("acme"), START) == "ok"


def test_a_connection_that_was_made_again_meanwhile_is_not_overwritten() -> None:
    flow = connecting()
    old = flow.connect(grant().connection)

    class Meanwhile(FakeConnections):
        def get(self, name: str) -> Any:
            return old

    stale = Connecting(
        Admin(Meanwhile({"acme": grant("c" * 64)}), FakePipelines(), lambda _: None, lambda _: None),
        FakeVault(),
        FakeHealth(),
        lambda: START,
    )
    with pytest.raises(ConfigError, match="somebody deleted it meanwhile"):
        edited(stale, region="eu-west-1")


def test_a_connection_that_was_made_again_meanwhile_never_reads_with_the_keys_of_the_former() -> None:
    flow, vault = connecting(), FakeVault()
    old = flow.connect(spec(), PAIR)

    class Meanwhile(FakeConnections):
        def get(self, name: str) -> Any:
            return old

    another = Meanwhile({"acme": replace(old, external_id="c" * 64)})
    admin = Admin(another, FakePipelines(), lambda _: None, lambda _: None)
    stale = Connecting(admin, vault, FakeHealth(), lambda: START)
    with pytest.raises(ConfigError, match="somebody deleted it meanwhile"):
        edited(stale, keys=Keys(OTHER_ID, "secret-two"))
    assert vault.get(spec()) is None


def test_keys_of_a_namesake_that_a_store_brought_back_do_not_stay() -> None:
    class Reviving(BrokenVault):
        def put(self, connection: Connection, keys: Keys) -> None:
            FakeVault.put(self, connection, PAIR)
            raise self.error

    flow = connecting(vault := Reviving())
    with pytest.raises(AccessDenied):
        flow.connect(spec(), Keys(OTHER_ID, "secret-two"))
    assert vault.get(spec()) is None


def test_an_endpoint_that_is_not_allowed_is_refused_at_both_doors() -> None:
    def check(connection: Connection) -> None:
        if connection.endpoint:
            raise ConfigError("not allowed", where=f"connection {connection.name}")

    flow = connecting(check=check)
    with pytest.raises(ConfigError, match="not allowed"):
        flow.connect(spec(endpoint="http://169.254.169.254"), PAIR)
    assert flow.admin.connections.all() == []
    flow.connect(spec(), PAIR)
    with pytest.raises(ConfigError, match="not allowed"):
        edited(flow, endpoint="http://169.254.169.254", keys=Keys(OTHER_ID, "secret-two"))
    assert flow.admin.connection("acme").connection.endpoint is None
    assert flow.vault.get(spec()) == PAIR


# changing


def test_what_is_not_named_stays_external_id_and_keys_included() -> None:
    flow = connecting()
    made = flow.connect(spec(region="eu-west-1", buckets=["a"], prefixes=["in/"]), PAIR)
    after = edited(flow, ("prefixes",), buckets=["b"]).grant
    assert (after.connection.region, after.connection.buckets, after.connection.prefixes) == ("eu-west-1", ("b",), ())
    assert (after.external_id, after.created_at, after.kept) == (made.external_id, made.created_at, made.kept)
    assert flow.admin.connection("acme") == after


def test_an_empty_secret_keeps_the_old_one() -> None:
    flow = connecting()
    flow.connect(spec(), PAIR)
    edited(flow, keys=Keys())
    assert flow.vault.get(spec()) == PAIR
    edited(flow, keys=Keys(secret_access_key="secret-two"))
    assert flow.vault.get(spec()) == Keys(ID, "secret-two")


def test_new_session_keys_have_a_new_end() -> None:
    flow = connecting()
    flow.connect(spec("session"), SESSION_KEYS)
    later = START + timedelta(hours=30)
    after = edited(flow, keys=Keys("ASIAEXAMPLEEXAMPLE99", "s", "t", later)).grant
    assert after.kept is not None
    assert (after.kept.expires_at, after.kept.access_key) == (later, "****LE99")
    after = edited(flow, region="eu-west-1").grant
    assert after.kept is not None
    assert after.kept.expires_at == later


@pytest.mark.parametrize(
    ("before", "changes", "words"),
    [
        ({"role_arn": "arn:aws:iam::222222222222:role/r"}, {"name": "beta"}, "name never changes"),
        (
            {"role_arn": "arn:aws:iam::222222222222:role/r"},
            {"role_arn": "arn:aws:iam::333333333333:role/r"},
            "another account",
        ),
        (
            {"role_arn": "arn:aws:iam::222222222222:role/r"},
            {"role_arn": "arn:aws-cn:iam::222222222222:role/r"},
            "another account",
        ),
        ({"role_arn": "arn:aws:iam::222222222222:role/r"}, {"auth_method": "anonymous"}, "method cannot change"),
        ({"auth_method": "default"}, {"auth_method": "basic"}, "method cannot change from default to basic"),
        ({"auth_method": "default", "owner": "alice"}, {"owner": "bob"}, "its owner stays alice"),
        ({"auth_method": "default"}, {"auth_method": ["basic"]}, "auth_method is not one of"),
        ({"auth_method": "default"}, {"auth_method": "nonsense"}, "auth_method is not one of"),
        ({"auth_method": "default"}, {1: "x"}, "1: Keys should be strings"),
        ({"auth_method": "default"}, {"external_id": "x"}, "external_id is not a known key"),
        ({"auth_method": "default"}, {"session_token": "x"}, "does not belong into a document"),
        ({"auth_method": "default"}, {"role_arn": "x"}, "is a key of assume_role, not of default"),
    ],
)
def test_what_would_be_another_connection_is_refused(
    before: dict[str, Any], changes: dict[str, Any], words: str
) -> None:
    flow = connecting()
    made = flow.connect(parse_connection({"name": "acme", **before}, where="test"))
    with pytest.raises(ConfigError, match=words):
        flow.edit(flow.edited("acme", changes, where="test"))
    assert flow.admin.connection("acme") == made


def test_an_owner_cannot_be_taken_away_nor_the_name_nor_what_is_no_key() -> None:
    flow = connecting()
    flow.connect(spec("default", owner="alice"))
    for unset, words in [("owner", "owner stays"), ("name", "cannot be unset"), ("nonsense", "cannot be unset")]:
        with pytest.raises(ConfigError, match=words):
            edited(flow, (unset,))


def test_the_same_account_may_have_another_role_and_another_spelling_of_it() -> None:
    flow = connecting()
    made = flow.connect(grant().connection)
    after = edited(flow, role_arn="arn:aws:iam::222222222222:role/other").grant
    assert after.external_id == made.external_id
    again = edited(flow, ("role_arn",), account_id="222222222222", role_name="third").grant
    assert again.connection.role == "arn:aws:iam::222222222222:role/third"


def test_a_change_that_goes_around_edited_is_refused_too() -> None:
    flow = connecting()
    flow.connect(grant().connection)
    with pytest.raises(ConfigError, match="another account"):
        flow.edit(grant(role_arn="arn:aws:iam::333333333333:role/r").connection)


def test_a_method_may_change_for_one_that_opens_the_same_door_with_keys_of_its_own() -> None:
    flow = connecting()
    flow.connect(spec("session"), SESSION_KEYS)
    with pytest.raises(ConfigError, match="must be given"):
        edited(flow, auth_method="basic")
    assert flow.vault.get(spec()) == SESSION_KEYS
    after = edited(flow, auth_method="basic", keys=PAIR).grant
    assert flow.vault.get(after.connection) == PAIR
    assert after.kept is not None
    assert after.kept.expires_at is None


def test_own_credentials_may_be_named_and_unnamed() -> None:
    flow = connecting()
    flow.connect(spec("default"))
    edited(flow, auth_method="profile", profile_name="acme")
    assert edited(flow, auth_method="default").grant.connection == spec("default")


def test_keys_move_to_another_store_and_leave_nothing_in_the_first() -> None:
    flow = connecting()
    flow.connect(spec(), PAIR)
    after = edited(flow, secret_store="parameter_store").grant
    assert flow.vault.get(after.connection) == PAIR
    assert flow.vault.get(spec()) is None


def test_keys_that_are_needed_no_more_are_forgotten() -> None:
    flow = connecting()
    proxy = {"host": "proxy.example", "user": "u"}
    flow.connect(spec("anonymous", http_proxy=proxy), Keys(proxy_password="p"))
    assert edited(flow, ("http_proxy",)).grant.kept is None
    assert flow.vault.get(spec("anonymous")) is None


def test_a_password_is_never_sent_to_another_proxy() -> None:
    flow = connecting()
    flow.connect(spec("anonymous", http_proxy={"host": "proxy.example", "user": "u"}), Keys(proxy_password="p"))
    with pytest.raises(ConfigError, match="proxy_password must be given"):
        edited(flow, http_proxy={"host": "evil.example", "user": "u"})


def test_a_change_that_dies_after_its_keys_are_kept_is_mended_by_repeating_it() -> None:
    flow = connecting()
    flow.connect(spec(), PAIR)

    class Dying(FakeConnections):
        def put(self, grant: Any) -> bool:
            raise Died

    dying = connecting()
    dying.admin.connections.add(flow.admin.connection("acme"))
    dying.vault.put(spec(), PAIR)
    broken = Connecting(
        Admin(Dying(dict(dying.admin.connections.stored)), FakePipelines(), lambda _: None, lambda _: None),  # type: ignore[attr-defined]
        dying.vault,
        FakeHealth(),
        lambda: START,
    )
    with pytest.raises(Died):
        edited(broken, keys=Keys(OTHER_ID, "secret-two"))
    after = edited(dying, keys=Keys(OTHER_ID, "secret-two")).grant
    assert dying.vault.get(spec()) == Keys(OTHER_ID, "secret-two")
    assert after.kept is not None
    assert after.kept.access_key == "****LE99"


def test_a_failing_connection_is_tried_at_once_after_it_was_changed() -> None:
    flow = connecting()
    flow.connect(spec(), PAIR)
    failing = Health("acme", START, "keys ended", tries=7, next_try_at=START + timedelta(hours=1), revision=1)
    assert flow.health.swap(failing)
    edited(flow, keys=Keys(OTHER_ID, "secret-two"))
    after = flow.health.get("acme")
    assert (after.is_due(START), after.tries, after.reason) == (True, 0, "keys ended")


def test_pipelines_that_a_change_shuts_out_are_named() -> None:
    flow = connecting()
    flow.connect(grant().connection)
    flow.admin.apply(pipeline())
    (warning,) = edited(flow, prefixes=["out/"]).warnings
    assert "pipeline flights reads nothing any more" in warning
    assert edited(flow, ("prefixes",)).warnings == ()


def test_a_connection_gets_an_owner_only_if_its_pipelines_are_theirs() -> None:
    flow = connecting()
    flow.connect(grant().connection)
    flow.admin.apply(pipeline())
    with pytest.raises(ConfigError, match="used by flights, which alice does not own"):
        edited(flow, owner="alice")
    flow.admin.apply(pipeline().model_copy(update={"owner": "alice"}))
    assert edited(flow, owner="alice").grant.connection.owner == "alice"


# forgetting


def test_a_connection_in_use_is_kept_with_its_keys() -> None:
    flow = connecting()
    made = flow.connect(spec(), PAIR)
    flow.admin.apply(pipeline())
    with pytest.raises(ConfigError, match="used by flights"):
        flow.disconnect("acme")
    assert flow.vault.get(made.connection) == PAIR
    flow.admin.delete("flights")
    flow.disconnect("acme")
    assert flow.admin.connections.all() == []
    assert flow.vault.get(made.connection) is None


def test_a_new_connection_of_an_old_name_begins_sound() -> None:
    flow = connecting()
    flow.connect(grant().connection)
    flow.health.swap(Health("acme", START, "refused", next_try_at=START, revision=1))
    flow.disconnect("acme")
    assert flow.health.get("acme").failing_since is None


def test_who_forgets_what_is_not_there_is_told_what_is() -> None:
    with pytest.raises(ConfigError, match="There are none yet"):
        connecting().disconnect("acme")


def test_new_keys_bring_back_at_the_next_tick_what_was_denied() -> None:
    """After hours of trials the pause is an hour long; nobody waits for its end who has pasted new keys."""
    world = World()
    user = {"type": "user", "user_arn": "arn:aws:iam::111122223333:user/u"}
    world.connections.stored["acme"] = replace(grant(through=user), kept=Kept("****LE12", START))
    world.buckets.refused.add("acme")
    world.put("in/a.csv", b"id\n1\n")
    for _ in range(400):
        world.run()
        world.now += timedelta(minutes=1)
    tried = len(world.buckets.opened)
    world.buckets.refused.clear()
    admin = Admin(world.connections, world.pipelines, lambda _: None, lambda _: None)
    flow = Connecting(admin, FakeVault(), world.health, world.clock)
    flow.edit(flow.edited("acme", {}, where="test"), Keys(OTHER_ID, "secret-two"))
    world.run()
    assert tried < 20
    assert len(world.buckets.opened) == tried + 1
    assert world.ledger.stored["flights", "in/a.csv"].reason is None
    assert world.health.get("acme").failing_since is None
