"""Scenes: a customer for each recipe, with the bucket, the users and the keys that are there before anything else."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import count
from typing import Any

from chalicelib.config.connection import parse_connection
from chalicelib.config.pipeline import Pipeline
from chalicelib.core.connections import Grant, Kept, new_external_id
from chalicelib.core.keys import Keys
from chalicelib.core.policies.recipes import sheets
from chalicelib.core.policies.sheets import Sheet
from chalicelib.flows.facts import Home, gathered
from chalicelib.local.account import Account
from chalicelib.local.customer import make_bucket
from chalicelib.local.stack import Stack
from tests.local.recipes.pasting import Admins
from tests.local.waiting import soon

Document = dict[str, Any]
NOW = datetime(2026, 11, 22, tzinfo=UTC)
BODY = b"id\n1\n2\n"
ROLE, INGEST, USER = "tidegate-reader", "ingest", "tidegate"
customers = count(700)  # far from the accounts that other tests take


@dataclass(frozen=True)
class Recipe:
    """One way of setting things up; `document` is the connection's, but for what every connection has."""

    title: str
    document: Callable[["Scene"], Document]
    user: bool = False  # the customer has a user, whose keys we were given
    encrypted: bool = False  # the objects are, with a key of the customer's
    own: bool = False  # the bucket is in our own account


@dataclass
class Scene:
    """One customer."""

    recipe: Recipe
    home: Home
    endpoint: str
    policies: dict[str, Document]  # of the queue, which all customers share
    number: str = field(default_factory=lambda: f"{next(customers):012d}"[::-1])
    external_id: str = field(default_factory=new_external_id)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1000))

    @property
    def name(self) -> str:
        """Of connection and pipeline."""
        return f"acme{self.number.rstrip('0')}"

    @property
    def bucket(self) -> str:
        return f"{self.name}-exports"

    @property
    def ours(self) -> Account:
        return Account(self.home.account, self.endpoint)

    @cached_property
    def theirs(self) -> Account:
        return self.ours if self.recipe.own else Account(self.number, self.endpoint)

    @cached_property
    def admins(self) -> Admins:
        return Admins(self.ours, self.theirs, USER, self.policies)

    @cached_property
    def keys(self) -> Keys | None:
        """The user's access key, if there is a user."""
        if not self.recipe.user:
            return None
        iam = self.theirs.client("iam")
        iam.create_user(UserName=USER)
        made = iam.create_access_key(UserName=USER)["AccessKey"]
        return Keys(made["AccessKeyId"], made["SecretAccessKey"])

    @cached_property
    def key(self) -> str | None:
        """The ARN of the key that encrypts the objects."""
        return str(self.theirs.client("kms").create_key()["KeyMetadata"]["Arn"]) if self.recipe.encrypted else None

    @cached_property
    def grant(self) -> Grant:
        fields = {
            "name": self.name,
            "buckets": [self.bucket],
            "prefixes": ["in/"],
            "kms_keys": [self.key] if self.key else [],
        }
        connection = parse_connection({**fields, **self.recipe.document(self)}, where=self.name)
        return Grant(connection, self.external_id, NOW, Kept("…", NOW) if self.keys else None)

    @cached_property
    def pipeline(self) -> Pipeline:
        document = {
            "name": self.name,
            "connection": self.name,
            "in": {
                "bucket": self.bucket,
                "path_prefix": "in/",
                "parser": {"type": "csv", "skip_header_lines": 1, "columns": [{"name": "id", "type": "long"}]},
            },
            "out": {"type": "parquet", "database": "travel", "table": self.name},
        }
        return Pipeline.parse(document, where=self.name)

    @cached_property
    def sheets(self) -> tuple[Sheet, ...]:
        """All that `tidegate policy NAME all` prints."""
        return sheets(gathered(self.grant, [self.pipeline], self.home))

    @property
    def pasted(self) -> tuple[Sheet, ...]:
        """Those that are needed: others say themselves for whom they are."""
        return tuple(sheet for sheet in self.sheets if sheet.needed)

    def set_up(self) -> None:
        """The bucket, then everything that was printed, in the order in which it was printed; then a first object."""
        make_bucket(self.theirs, self.bucket)
        for sheet in self.pasted:
            self.admins.paste(sheet)
        self.put("in/first.csv")

    def telling(self) -> str:
        """Store an object of which somebody should be told; its key."""
        key = f"in/{next(self._numbers)}.csv"
        self.put(key)
        return key

    def told(self, key: str) -> bool:
        """Whether our queue heard of this object: of one that is stored now it does hear, and S3 keeps the order."""
        last, heard = self.telling(), set[str]()
        sqs = self.ours.client("sqs")
        url = sqs.get_queue_url(QueueName=self.home.queue.rsplit(":", 1)[1])["QueueUrl"]

        def arrived() -> bool:
            found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
            for each in found:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
                heard.update(wanted for wanted in (key, last) if wanted in each["Body"])
            return last in heard

        assert soon(arrived), f"{self.recipe.title}: nothing comes although everything is pasted"
        return key in heard

    def put(self, key: str) -> None:
        """The customer stores an object of two rows."""
        locked = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.key} if self.key else {}
        self.theirs.client("s3").put_object(Bucket=self.bucket, Key=key, Body=BODY, **locked)


def _role(scene: Scene) -> str:
    return f"arn:aws:iam::{scene.theirs.number}:role/{ROLE}"


def _ours(scene: Scene, name: str) -> str:
    return f"arn:aws:iam::{scene.home.account}:role/{name}-{scene.name}"


def _by_role(**more: Any) -> Callable[[Scene], Document]:
    return lambda scene: {"role_arn": _role(scene), **more}


def _tagged(scene: Scene) -> Document:
    return {
        "role_arn": f"arn:aws:iam::{scene.theirs.number}:role/data/eu/{ROLE}",
        "session_name": "tidegate-acme",
        "session_tags": {"team": "ingest"},
        "source_identity": "tidegate",
    }


def _by_bucket_policy(scene: Scene) -> Document:
    return {"auth_method": "default", "bucket_owner": scene.theirs.number}


def _ingest_role(scene: Scene) -> Document:
    return {"role_arn": _ours(scene, INGEST), "bucket_owner": scene.theirs.number, "can_list": False}


def _through_user(scene: Scene) -> Document:
    user = f"arn:aws:iam::{scene.theirs.number}:user/{USER}"
    return {"role_arn": _role(scene), "through": {"type": "user", "user_arn": user}}


def _through(principal: str) -> Callable[[Scene], Document]:
    def document(scene: Scene) -> Document:
        between = {"type": "role", "role_arn": _ours(scene, "between"), "principal": principal}
        return {"role_arn": _role(scene), "session_name": "acme-import", "through": between}

    return document


def _pasted(scene: Scene) -> Document:
    return {"auth_method": "basic", "bucket_owner": scene.number, "secret_store": "parameter_store"}


RECIPES = (
    Recipe("cross-account role, S3 to the queue", _by_role()),
    Recipe("cross-account role, through SNS", _by_role(notify_by="sns")),
    Recipe("cross-account role, through EventBridge", _by_role(notify_by="eventbridge")),
    Recipe("cross-account role, objects under SSE-KMS", _by_role(), encrypted=True),
    Recipe("cross-account role with path, session tags and source identity", _tagged),
    Recipe("same account", lambda scene: {"auth_method": "default"}, own=True),
    Recipe("bucket policy for the functions' roles", _by_bucket_policy),
    Recipe("bucket policy for an ingest role, no listing, SSE-KMS", _ingest_role, encrypted=True),
    Recipe("user, then role", _through_user, user=True),
    Recipe("role, then role", _through("role")),
    Recipe("session as principal", _through("session")),
    Recipe("pasted keys of a user", _pasted, user=True),
)


def scenes(home: Home, endpoint: str) -> tuple[Scene, ...]:
    """One customer for each recipe."""
    policies: dict[str, Document] = {}
    return tuple(Scene(recipe, home, endpoint, policies) for recipe in RECIPES)


def settled(stack: Stack) -> tuple[Scene, ...]:
    """One customer for each recipe, with everything pasted."""
    found = scenes(Home(stack.account.number, stack.account.region, stack.name), stack.account.endpoint)
    for scene in found:
        scene.set_up()
    return found
