import json
import os
from datetime import timedelta
from hashlib import sha256

import pytest

from coinhts_core.backups import parts
from coinhts_core.backups.manifest import Damaged, Entry, Files, LakeFacts, Manifest, Verified, lines_of, name_of
from coinhts_core.backups.objects import Objects
from coinhts_core.backups.parts import FILES, HEADS
from coinhts_core.backups.pruning import GRACE, looked_over, prune
from coinhts_core.backups.retention import Policy
from coinhts_core.backups.shelf import MANIFEST, BackupShelf
from coinhts_core.backups.turns import taking
from coinhts_core.clock import now
from coinhts_core.errors import RefusedError, RetryableError
from coinhts_core.lake.directory import DirectoryStore
from coinhts_core.lake.s3 import S3Store
from coinhts_core.ledger import locks
from coinhts_core.settings import S3, Settings

DAY = timedelta(days=1)
LATER = now() + 4 * GRACE  # whatever a test wrote is old by then
ONE_A_DAY = Policy(hours=0, days=4, weeks=0, months=0)


@pytest.fixture
def shelf(tmp_path):
    return BackupShelf(DirectoryStore(tmp_path / "backups"))


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home")


def keep(shelf, days_ago, *contents, moment=LATER, is_finished=True):
    """A backup of some bytes, as far as pruning looks at it."""
    at = (moment - days_ago * DAY - timedelta(hours=1)).replace(microsecond=0)
    name, objects = name_of(at), Objects(shelf.store)
    entries = [
        Entry(path=f"asset/{place}", size=len(of), sha256=sha256(of).hexdigest()) for place, of in enumerate(contents)
    ]
    for entry, content in zip(entries, contents, strict=True):
        objects.keep(entry, lambda content=content: memoryview(content))
    files = Files(settings={}, secrets=(), lock_hash=None, schema_revision=None, files=())
    written = parts.write(shelf.store, name, HEADS, [lines_of(entries)])
    written += parts.write(shelf.store, name, FILES, [files.to_text()])
    if is_finished:
        lake = LakeFacts(names=len(entries), size=0, new_objects=0, new_bytes=0)
        unknown = dict.fromkeys(("venue", "schema_revision", "parent", "parent_digest"))
        told = {"coinhts": "0", "programs": "18", "databases": {}, "parts": written, "lake": lake, **unknown}
        manifest = Manifest(name=name, taken_at=at, **told)
        shelf.store.create(f"{name}/{MANIFEST}", manifest.to_text())
        shelf.note(Verified(name=name, manifest_digest=manifest.digest, verified_at=at, objects=1, size=1))
    return name


def names(shelf):
    return sorted(shelf.files())


def objects(shelf):
    return {bytes(shelf.store.get(of.path)) for of in shelf.store.listed("objects")}


def month(shelf, **facts):
    """Ten days, each with bytes of its own and some that all share."""
    return [keep(shelf, ago, b"shared", b"of day %d" % ago, **facts) for ago in range(10)]


def test_what_goes_goes_whole_and_what_it_shared_stays(settings, shelf):
    """Two of ten, the oldest; their own bytes go with them, and those that others name do not."""
    taken = month(shelf)
    report = looked_over(shelf, LATER, ONE_A_DAY)
    assert names(shelf) == sorted(taken)
    pruned = prune(settings, shelf, report, LATER)
    assert sorted(pruned.backups) == sorted(taken[-2:])
    assert names(shelf) == sorted(taken[:-2])
    assert objects(shelf) == {b"shared", *(b"of day %d" % ago for ago in range(8))}
    assert (pruned.objects, pruned.left_alone) == (2, None)
    assert pruned.size > len(b"of day 8") * 2


def test_the_same_report_twice_removes_nothing_more(settings, shelf):
    """Whoever was told what goes may be killed and begin again."""
    month(shelf)
    report = looked_over(shelf, LATER, ONE_A_DAY)
    prune(settings, shelf, report, LATER)
    before = names(shelf), objects(shelf)
    again = prune(settings, shelf, report, LATER)
    assert (again.left_overs, again.objects) == ((), 0)
    assert (names(shelf), objects(shelf)) == before


@pytest.mark.parametrize("killed_after", range(1, 9))
def test_killed_anywhere_it_leaves_left_overs_and_never_half_a_backup(settings, shelf, monkeypatch, killed_after):
    """The manifest goes first; the next run removes what is left, and ends where one that was not killed ends."""
    taken = month(shelf)
    report, removed, remove = looked_over(shelf, LATER, ONE_A_DAY), [], shelf.store.remove

    def killed(path):
        if len(removed) == killed_after:
            raise KeyboardInterrupt
        removed.append(path)
        remove(path)

    monkeypatch.setattr(shelf.store, "remove", killed)
    with pytest.raises(KeyboardInterrupt):
        prune(settings, shelf, report, LATER)
    monkeypatch.undo()
    assert removed[0].endswith(MANIFEST)
    for of in shelf.listed():
        assert set(shelf.files()[of.name]) >= {MANIFEST, HEADS, FILES}
    prune(settings, shelf, report, LATER)
    prune(settings, shelf, looked_over(shelf, LATER, Policy(hours=24 * 20)), LATER)
    assert names(shelf) == sorted(taken[:-2])
    assert objects(shelf) == {b"shared", *(b"of day %d" % ago for ago in range(8))}


def test_no_more_than_a_fifth_of_the_shared_bytes_goes_at_once(settings, shelf):
    """A mistake in what is named would cost a fifth, and somebody would notice."""
    keep(shelf, 30, *(b"once %d" % number for number in range(90)))
    month(shelf)
    pruned = prune(settings, shelf, looked_over(shelf, LATER, ONE_A_DAY), LATER)
    assert pruned.objects == 101 // 5
    assert len(objects(shelf)) == 101 - 101 // 5


@pytest.mark.parametrize("file", [MANIFEST, HEADS])
def test_shared_bytes_stay_while_nobody_knows_who_names_them(settings, shelf, file):
    """What a backup names that cannot be read is not known, so no object goes; the backups do."""
    path = f"{month(shelf)[3]}/{file}"
    content, before = bytes(shelf.store.get(path)), objects(shelf)
    shelf.store.remove(path)
    shelf.store.create(path, content.replace(b'"', b"'", 1))
    pruned = prune(settings, shelf, looked_over(shelf, LATER, ONE_A_DAY), LATER)
    assert len(pruned.backups) == 2
    assert "is damaged" in pruned.left_alone
    assert (pruned.objects, objects(shelf)) == (0, before)


def test_shared_bytes_stay_while_a_backup_is_being_taken(settings, shelf, tmp_path):
    """It names old bytes that it found here, and has not said so yet."""
    month(shelf)
    for old in (tmp_path / "backups" / "objects").iterdir():
        os.utime(old, (0, 0))
    before = objects(shelf)
    unfinished = keep(shelf, 0, b"new", moment=now(), is_finished=False)
    pruned = prune(settings, shelf, looked_over(shelf, LATER, ONE_A_DAY), now() + DAY / 24)
    assert (len(pruned.backups), pruned.left_overs, pruned.objects) == (2, (), 0)
    assert pruned.left_alone == f"{unfinished} is not finished, and may name any of them"
    assert objects(shelf) == before | {b"new"}
    assert prune(settings, shelf, looked_over(shelf, LATER, ONE_A_DAY), LATER).left_overs == (unfinished,)
    assert not objects(shelf) & {b"of day 8", b"of day 9"}


def test_nothing_goes_while_a_house_takes_a_backup(settings, shelf, monkeypatch):
    """Who removes waits until it is taken; not for ever."""
    monkeypatch.setattr(locks, "_PATIENCE_S", 0.1)
    month(shelf)
    report, before = looked_over(shelf, LATER, ONE_A_DAY), (names(shelf), objects(shelf))
    with taking(settings), pytest.raises(RetryableError, match="backups\\.lock"):
        prune(settings, shelf, report, LATER)
    assert (names(shelf), objects(shelf)) == before
    assert len(prune(settings, shelf, report, LATER).backups) == 2


def test_young_bytes_are_left_to_whoever_is_about_to_name_them(settings, shelf):
    """Bytes that lie there for less than two days may be of a backup whose first file is not written yet."""
    month(shelf)
    report = looked_over(shelf, LATER, ONE_A_DAY)
    assert prune(settings, shelf, report, now() + GRACE / 2).objects == 0
    assert prune(settings, shelf, report, LATER).objects == 2


def test_a_report_that_refuses_lets_nothing_go(settings, shelf):
    """Neither backups nor left-overs nor bytes, and the reason is told."""
    month(shelf)
    keep(shelf, 20, b"never finished", is_finished=False)
    before = names(shelf), objects(shelf)
    pruned = prune(settings, shelf, looked_over(shelf, LATER + 3 * DAY, ONE_A_DAY), LATER + 3 * DAY)
    assert "older than 26 hours" in pruned.refused
    assert (names(shelf), objects(shelf)) == before


def test_whose_key_removes_none_is_told_so(settings, shelf, monkeypatch):
    """It is another's to do, so upkeep goes on; the reason is the place's own."""

    def refused(_):
        raise RefusedError(reason="it answered 403 AccessDenied")

    taken = month(shelf)
    monkeypatch.setattr(shelf.store, "remove", refused)
    pruned = prune(settings, shelf, looked_over(shelf, LATER, ONE_A_DAY), LATER)
    assert (pruned.backups, pruned.refused) == ((), "refused: it answered 403 AccessDenied")
    assert names(shelf) == sorted(taken)


def test_the_report_says_of_each_what_becomes_of_it(shelf):
    """As programs read it."""
    taken = month(shelf)
    shelf.note(Damaged(name=taken[4], manifest_digest=None, found_at=LATER, damages=("a bit",)))
    facts = [of.facts for of in looked_over(shelf, LATER, ONE_A_DAY).verdicts]
    assert [of["name"] for of in facts] == sorted(taken)
    assert {of["name"]: of["state"] for of in facts}[taken[4]] == "refused"
    assert json.loads(json.dumps(facts)) == facts


def test_a_bucket_s_clock_is_heard(s3, shelf):
    """A backup says it is of next week, its bucket that it is of today: nothing goes; a disk knows no better."""
    bucket = BackupShelf(S3Store(s3.url, S3(endpoint=s3.endpoint)), is_sorted=True)
    for place in (bucket, shelf):
        month(place)
    heard, unheard = (looked_over(place, LATER, ONE_A_DAY) for place in (bucket, shelf))
    assert ["the clock jumped" in of for of in heard.refusals] == [True]
    assert not unheard.refusals
    assert not [of for of in looked_over(bucket, now(), ONE_A_DAY).verdicts if of.goes]
