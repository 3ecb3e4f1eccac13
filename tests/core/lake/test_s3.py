import socket
import traceback
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from itertools import count
from operator import methodcaller

import pytest

from coinhts_core.errors import BadSettingError, LakeUnusableError, RetryableError
from coinhts_core.lake.s3 import Patience, S3Store
from coinhts_core.settings import S3

from_the_store = pytest.mark.parametrize(
    "use",
    [
        methodcaller("create", "one", b"content"),
        methodcaller("get", "one"),
        methodcaller("remove", "one"),
        lambda store: list(store.listed()),
    ],
)


FAULTS = ["500", "503", "409", "drop", "lost", "late", "cut", "flip"]


@pytest.mark.parametrize("script", [*((fault,) for fault in FAULTS), *((None, fault) for fault in FAULTS)])
def test_put_that_stumbles_lands_once(s3, keys, network, distant, script):
    """However the put or its reading back fails, the content lies there in the end, whole, and the name is ours."""
    network.script(*script)
    assert distant.create("a/one", b"content")
    assert s3.ask("GET", "prefix/a/one")[1] == b"content"
    assert [str(key) for key in keys()] == ["prefix/a/one"]
    assert ("DELETE" in network.requests) == (script == ("flip",))


@pytest.mark.parametrize("content", [b"ours", b"theirs"])
def test_lost_put_does_not_take_the_name_of_another(s3, network, distant, content):
    """When our put never arrived and another's did, the name is theirs, even over the same bytes."""
    other, requests = S3Store(s3.url, S3(endpoint=s3.endpoint)), count()

    def overtaken(*_):
        return "drop" if next(requests) == 0 and other.create("one", b"theirs") else None

    network.fault = overtaken
    assert not distant.create("one", content)
    assert distant.get("one") == b"theirs"


@from_the_store
@pytest.mark.parametrize("fault", sorted({*FAULTS} - {"409", "flip"}))
def test_every_request_is_tried_again(s3, network, distant, fault, use):
    """Where a server stumbles or an answer breaks off or stays out, one more request gives the same answer."""
    expected, usual = use(distant), len(network.requests)
    assert s3.ask("DELETE", "prefix/one")[0] == 204
    network.script(fault)
    assert use(distant) == expected
    assert len(network.requests) == usual + usual + 1


@from_the_store
def test_patience_ends_in_one_sentence(s3, network, use):
    """A bucket that never answers well is asked as often as patience says, and then told to be tried again."""
    network.fault = lambda *_: "503"
    with pytest.raises(RetryableError) as refusal:
        use(S3Store(s3.url, S3(endpoint=network.endpoint), Patience(attempts=4, first_wait=0)))
    assert str(refusal.value) == f"the lake {s3.url} (it answered 503 Fault503) did not answer in time; try again"
    assert len(network.requests) == 4


def test_waits_grow_to_a_limit_and_differ():
    """The usual patience takes seconds, not minutes, and two who are refused at once do not return at once."""
    waits, others = list(Patience().waits()), list(Patience().waits())
    assert len(waits) == 9
    assert all(0.05 * 2**n <= wait <= 0.1 * 2**n for n, wait in enumerate(waits[:6]))
    assert all(2.5 <= wait <= 5 for wait in waits[6:])
    assert waits != others


@from_the_store
def test_unusable_buckets_are_refused_at_once(s3, network, use):
    """A bucket that is not there or elsewhere, and keys that are nobody's, are refused without a second attempt."""
    nowhere = S3Store("s3://no-such-bucket/prefix", S3(endpoint=network.endpoint))
    with pytest.raises(LakeUnusableError, match=r"s3://no-such-bucket/prefix cannot be used \(it answered 404 NoSuch"):
        use(nowhere)
    for status, reason in [("403", "it answered 403 Fault403"), ("301", "the bucket lies in another region")]:
        network.script(status)
        with pytest.raises(LakeUnusableError, match=reason):
            use(S3Store(s3.url, S3(endpoint=network.endpoint)))
    assert len(network.requests) == 3


def test_bad_keys_are_named(s3, monkeypatch, tmp_path):
    """A server that knows keys refuses others; where there is no key, or half of one, that is said at once."""
    server = type(s3)(s3.endpoint, "moto-api")
    assert server.ask("POST", "reset-auth", b"0")[0] == 200
    try:
        with pytest.raises(LakeUnusableError, match="403 InvalidAccessKeyId"):
            S3Store(s3.url, S3(endpoint=s3.endpoint)).get("one")
    finally:
        server.ask("POST", "reset-auth", b"inf")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name)
        with pytest.raises(LakeUnusableError, match="there are no AWS keys, or half of them"):
            S3Store(s3.url, S3(endpoint=s3.endpoint))


@from_the_store
def test_no_error_tells_a_secret(s3, network, use):
    """Whatever goes wrong, neither the sentence nor the traceback holds a key or the password in an address."""
    beyond = network.endpoint.removeprefix("http://")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        closed = silent.getsockname()[1]
    for address, fault in [(beyond, "403"), (beyond, "503"), (beyond, "drop"), (f"127.0.0.1:{closed}", None)]:
        network.fault = lambda *_, fault=fault: fault
        store = S3Store(s3.url, S3(endpoint=f"http://user:canary-password@{address}"), Patience(2, 0))
        with pytest.raises((LakeUnusableError, RetryableError)) as refusal:
            use(store)
        assert "canary" not in "".join(traceback.format_exception(refusal.value)) + repr(refusal.value)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3://b",
        "s3:///prefix",
        "s3://Bucket/prefix",
        "s3://bucket/../other",
        "s3://bucket/a//b",
        "s3://bucket/./a",
        "s3://bucket/a\n",
        "s3://bucket/a?versionId=canary",
        "s3://bucket/a#canary",
        "s3://key:canary@bucket/prefix",
        "s3://bucket/%2e%2e/other",
        "s3://bucket/" + "a/" * 100,
    ],
)
def test_hostile_prefixes_are_refused(s3, url):
    """What is not plainly a bucket and a prefix is refused, without a word of what it held."""
    with pytest.raises(BadSettingError, match="write it like s3://bucket/prefix") as refusal:
        S3Store(url, S3(endpoint=s3.endpoint))
    assert "canary" not in str(refusal.value)


@pytest.mark.parametrize("path", ["", "a//b", "a/", "a/./b", "a b", "a\x00b", "a%2f..", "한", "https://example.com/a"])
def test_hostile_paths_are_refused(distant, network, path):
    """No path but a plain one ever becomes a request."""
    for use in (
        distant.get,
        distant.remove,
        lambda path: distant.create(path, b"x"),
        lambda path: [*distant.listed(path)],
    ):
        with pytest.raises(LakeUnusableError, match="leads out of it"):
            use(path)
    assert network.requests == []


def test_prefixes_do_not_see_each_other(s3, distant):
    """A lake may lie at the root of a bucket, or beside others whose prefix begins alike."""
    settings = S3(endpoint=s3.endpoint)
    root, beside = (S3Store(f"s3://{s3.name}{end}", settings) for end in ("/", "/prefix2"))
    distant.create("a/one", b"1")
    beside.create("a/two", b"2")
    assert [[listed.path for listed in store.listed()] for store in (distant, beside, root)] == [
        ["a/one"],
        ["a/two"],
        ["prefix/a/one", "prefix2/a/two"],
    ]


@pytest.mark.parametrize("name", ["prefix//one", "prefix/a/../one"])
def test_names_of_strangers_are_no_reason_to_wait(s3, distant, network, name):
    """Where others keep names that no listing of ours can hold, that is said at once; plain names are just listed."""
    s3.ask("PUT", "prefix/notes%20of%20others", b"1")
    assert [listed.path for listed in distant.listed()] == ["notes of others"]
    s3.ask("PUT", name, b"1")
    with pytest.raises(LakeUnusableError, match="it is not only ours"):
        list(distant.listed())
    assert network.requests == ["GET", "GET"]


def test_listing_is_complete_however_long(s3, network, distant):
    """Beyond a thousand names a listing goes on, through failures, where it was, and gives each name once."""
    names = [f"many/{number:04}" for number in range(1_005)]
    with ThreadPoolExecutor(4) as threads:
        assert {status for status, _ in threads.map(lambda name: s3.ask("PUT", f"prefix/{name}", b"1"), names)} == {200}
    network.script(None, "503", "cut")
    assert [listed.path for listed in distant.listed("many")] == names
    assert len(network.requests) == 4
    assert [listed.path for listed in distant.listed("many/0007")] == []


def test_large_content_is_put_in_one_part(network, distant):
    """A content of many megabytes, too, is created whole or not at all, and once."""
    content = bytes(range(256)) * 4 * 10_000
    assert distant.create("large", content)
    assert not distant.create("large", content)
    assert network.requests == ["PUT", "GET"] * 2
    assert distant.get("large") == content


@pytest.mark.parametrize("number", [300, pytest.param(1_000, marks=pytest.mark.slow)])
def test_many_objects_through_faults(s3, network, distant, number):
    """With three requests in ten failing in every way, all objects arrive, each exactly as it was sent."""
    network.chance(0.3, "500", "503", "cut", "flip", "drop", "lost")
    contents = {f"of/{place:04}": sha256(bytes([place % 256])).digest() * (place % 300 + 1) for place in range(number)}
    with ThreadPoolExecutor(4) as threads:
        created = list(threads.map(lambda item: distant.create(*item), contents.items()))
    assert created == [True] * number
    network.script()
    assert {listed.path: listed.size for listed in distant.listed("of")} == {
        name: len(content) for name, content in contents.items()
    }
    arrived = {name: s3.ask("GET", f"prefix/{name}")[1] for name in contents}
    assert arrived == contents
