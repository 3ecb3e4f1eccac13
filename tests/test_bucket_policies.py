"""What docker/s3 says of a bucket: who may do what in it, and what becomes of what is removed.

The stand-in judges keys, actions and names; what stands under Condition it does not, so that is only read here.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from urllib.request import Request, urlopen

import boto3
import pytest
from pydantic import SecretStr

from coinhts_core.backups.pruning import looked_over, prune
from coinhts_core.backups.restore import restore
from coinhts_core.backups.retention import Policy
from coinhts_core.backups.shelf import BackupShelf
from coinhts_core.backups.take import take
from coinhts_core.backups.verify import verify
from coinhts_core.clock import now
from coinhts_core.errors import LakeUnusableError, RefusedError
from coinhts_core.lake.s3 import Patience, S3Store
from coinhts_core.ledger.connection import Ledger, ensure_database
from coinhts_core.ledger.migrate import migrate
from coinhts_core.settings import S3
from tests.core.backups.stocked import stocked

FOLDER = Path(__file__).parents[1] / "docker/s3"
ROLES = {
    "writer": {
        ("s3:GetObject", "BUCKET/lake/*"),
        ("s3:PutObject", "BUCKET/lake/*"),
        ("s3:DeleteObject", "BUCKET/lake/*"),
        ("s3:GetObject", "BUCKET/lake-compute-logs/*"),
        ("s3:PutObject", "BUCKET/lake-compute-logs/*"),
        ("s3:DeleteObject", "BUCKET/lake-compute-logs/*"),
        ("s3:GetObject", "BUCKET/backups/*"),
        ("s3:PutObject", "BUCKET/backups/*"),
        ("s3:ListBucket", "BUCKET"),
    },
    "restorer": {("s3:GetObject", "BUCKET/backups/*"), ("s3:ListBucket", "BUCKET")},
    "pruner": {
        ("s3:GetObject", "BUCKET/backups/*"),
        ("s3:DeleteObject", "BUCKET/backups/*"),
        ("s3:ListBucket", "BUCKET"),
    },
}
DEEDS = {
    "s3:PutObject": lambda store: store.create(f"new-{token_hex(4)}", b"content"),
    "s3:GetObject": lambda store: store.get("there"),
    "s3:DeleteObject": lambda store: store.remove("gone"),
}
HASTE = Patience(attempts=3, first_wait=0.01, longest_wait=0.1, longest_answer=5.0)
SERVER = """
import os, sys
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print("http://%s:%s" % server.get_host_and_port(), flush=True)
sys.stdin.readline()  # ends when nobody is left to write a line
os._exit(0)
"""


def document(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def allowed(role):
    return {
        (action, resource.removeprefix("arn:aws:s3:::"))
        for statement in document(role)["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
        if statement["Effect"] == "Allow"
    }


class Guarded:
    """A bucket whose server asks who is there, and a store for each who may be."""

    def __init__(self, endpoint, monkeypatch):
        self.endpoint, self.name = endpoint, "house"
        self.monkeypatch = monkeypatch
        self._be("root", "root")
        self.bucket, self._iam = (
            boto3.client(of, region_name="us-east-1", endpoint_url=endpoint) for of in ("s3", "iam")
        )
        self.bucket.create_bucket(Bucket=self.name)
        for key in ("lake/there", "lake-compute-logs/there", "backups/there", "elsewhere/there"):
            self.bucket.put_object(Bucket=self.name, Key=key, Body=b"content")
        self._keys = {role: self._hired(role) for role in ROLES}
        request = Request(f"{endpoint}/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"})  # noqa: S310 - our own
        urlopen(request).close()  # noqa: S310 - on loopback

    def become(self, role):
        """From now on whoever asks is the role, and nobody else."""
        self._be(*self._keys[role])

    def store(self, role, below):
        self.become(role)
        return S3Store(f"s3://{self.name}/{below}", S3(endpoint=self.endpoint, region="us-east-1"), HASTE)

    def _hired(self, role):
        policy = document(role)
        policy["Statement"] = [of for of in policy["Statement"] if of["Effect"] == "Allow"]  # it is no TLS server
        text = json.dumps(policy).replace("BUCKET", self.name)
        self._iam.create_user(UserName=role)
        self._iam.put_user_policy(UserName=role, PolicyName=role, PolicyDocument=text)
        key = self._iam.create_access_key(UserName=role)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    def _be(self, *key):
        for name, value in zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), key, strict=True):
            self.monkeypatch.setenv(name, value)


@contextmanager
def serving() -> Iterator[str]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-c", SERVER], text=True, **pipes) as server:
        yield server.stdout.readline().strip()
        server.kill()


@pytest.fixture(scope="module")
def _guarded():
    with serving() as endpoint, pytest.MonkeyPatch.context() as monkeypatch:
        yield Guarded(endpoint, monkeypatch)


@pytest.fixture
def guarded(_guarded, monkeypatch):
    """Give a bucket with the three who may enter it."""
    _guarded.monkeypatch = monkeypatch
    return _guarded


@pytest.fixture
def bucket(monkeypatch):
    """Give a bucket that is nobody's yet, as its owner sees it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "root")
    with serving() as endpoint:
        client = boto3.client("s3", region_name="us-east-1", endpoint_url=endpoint)
        client.create_bucket(Bucket="house")
        yield client


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_exactly_this(role):
    """Each action by name, below one prefix; nobody touches the bucket itself, and nothing without TLS."""
    assert allowed(role) == ROLES[role]
    denied = [of for of in document(role)["Statement"] if of["Effect"] != "Allow"]
    assert [(of["Action"], of["Condition"]) for of in denied] == [
        (["s3:*"], {"Bool": {"aws:SecureTransport": "false"}})
    ]
    assert denied[0]["Resource"] == ["arn:aws:s3:::BUCKET", "arn:aws:s3:::BUCKET/*"]


def test_nobody_writes_over_a_backup_and_who_writes_removes_none():
    """A put there is one that creates; removing is another's key; names are listed below the house's prefixes only."""
    conditions = {
        (role, of["Sid"]): of["Condition"] for role in ROLES for of in document(role)["Statement"] if "Condition" in of
    }
    assert conditions["writer", "BackupCreateOnly"] == {"Null": {"s3:if-none-match": "false"}}
    writes = {role for role in ROLES if ("s3:PutObject", "BUCKET/backups/*") in allowed(role)}
    assert (writes, [("s3:DeleteObject", "BUCKET/backups/*") in allowed(role) for role in writes]) == (
        {"writer"},
        [False],
    )
    for role in ROLES:
        prefixes = conditions[role, "List"]["StringLikeIfExists"]["s3:prefix"]
        assert {prefix.split("/")[0] for prefix in prefixes} <= {"lake", "lake-compute-logs", "backups"}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("below", ["lake", "lake-compute-logs", "backups", "elsewhere"])
def test_what_the_policy_names_goes_and_nothing_else_does(guarded, role, below):
    """Each deed of a store with the role's own key: done where it is allowed, refused in a sentence elsewhere."""
    store = guarded.store(role, below)
    done = set()
    for action, deed in DEEDS.items():
        try:
            deed(store)
            done.add(action)
        except LakeUnusableError as error:
            assert "403 AccessDenied" in str(error)  # noqa: PT017 - which of them is refused is what is asked
    assert done == {action for action, place in ROLES[role] if place == f"BUCKET/{below}/*"}


def test_a_name_that_is_not_there_is_told_from_one_that_is_not_allowed(guarded):
    """Whoever may list is told that a name is missing; who may not is told nothing."""
    assert guarded.store("restorer", "backups").get("nothing") is None
    with pytest.raises(LakeUnusableError):
        guarded.store("restorer", "lake").get("nothing")


@pytest.fixture(scope="module")
def _house(_guarded, postgres, tmp_path_factory):
    """Take six backups of a house whose lake and backups are in the bucket, as who writes."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        _guarded.monkeypatch = monkeypatch
        _guarded.become("writer")
        places = {"lake": f"s3://{_guarded.name}/lake", "backups": f"s3://{_guarded.name}/backups"}
        url = postgres.url(f"policies_{token_hex(6)}")
        ensure_database(url)
        with Ledger.open(url) as ledger:
            migrate(ledger)
            s3 = S3(endpoint=_guarded.endpoint, region="us-east-1")
            house = stocked(tmp_path_factory.mktemp("house"), ledger, **places, s3=s3)
            for minutes in range(6, 0, -1):
                house.take(now() - timedelta(minutes=minutes))
            yield house


@pytest.fixture
def work(_house, guarded, tmp_path, postgres):
    """Name what can be done with backups, each as a call."""

    def take_one():
        return take(_house.settings, BackupShelf.open(_house.settings), now())

    def restore_one():
        urls = [postgres.url(f"policies_{token_hex(6)}") for _ in range(2)]
        for url in urls:
            ensure_database(url)
        secrets = dict(zip(("postgres_url", "dagster_postgres_url"), map(SecretStr, urls), strict=True))
        target = _house.settings.model_copy(update={"home": tmp_path / "there", "lake": None, **secrets})
        shelf = BackupShelf.open(_house.settings)
        return restore(shelf, shelf.newest().name, target)

    def verify_one():
        shelf = BackupShelf.open(_house.settings)
        found = verify(shelf, shelf.newest().name, now() + timedelta(seconds=1))
        assert found.damages == ()

    def prune_one():
        shelf = BackupShelf.open(_house.settings)
        report = looked_over(shelf, now(), Policy(hours=0, days=1, weeks=0, months=0))
        pruned = prune(_house.settings, shelf, report, now())
        if pruned.refused:
            raise RefusedError(reason=pruned.refused)
        assert len(pruned.backups) == 1

    assert guarded
    return {"take": take_one, "verify": verify_one, "restore": restore_one, "prune": prune_one}


@pytest.mark.parametrize(
    ("role", "may"),
    [("writer", {"take", "verify", "restore"}), ("restorer", {"restore"}), ("pruner", {"restore", "prune"})],
)
def test_backups_work_with_each_key_as_far_as_it_goes(guarded, work, role, may):
    """Who writes removes none, who restores writes nothing, who removes writes nothing; each refusal is a sentence."""
    done = set()
    guarded.become(role)
    for deed, call in work.items():
        try:
            call()
            done.add(deed)
        except RefusedError as error:
            assert "403 AccessDenied" in str(error)  # noqa: PT017 - which of them is refused is what is asked
    assert done == may


def test_what_is_removed_can_be_had_back_for_thirty_days(bucket):
    """A bucket takes versions and their end as they are written here; what nobody finished goes in a day."""
    bucket.put_bucket_versioning(Bucket="house", VersioningConfiguration=document("versioning"))
    bucket.put_bucket_lifecycle_configuration(Bucket="house", LifecycleConfiguration=document("lifecycle"))
    assert bucket.get_bucket_versioning(Bucket="house")["Status"] == "Enabled"
    rules = {of["Filter"]["Prefix"]: of for of in bucket.get_bucket_lifecycle_configuration(Bucket="house")["Rules"]}
    assert rules[""]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    for prefix in ("lake/", "backups/"):
        assert rules[prefix]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
        assert "Days" not in rules[prefix]["Expiration"]  # what is current never ends by itself
    first = bucket.put_object(Bucket="house", Key="backups/one", Body=b"content")["VersionId"]
    bucket.delete_object(Bucket="house", Key="backups/one")
    assert bucket.get_object(Bucket="house", Key="backups/one", VersionId=first)["Body"].read() == b"content"
