"""Every kind of damage to a backup that we could think of, and who finds it: a look at every byte, or a drill.

Those that only a drill finds are forged with care: every digest is made to fit what was changed.
"""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

import pytest

from coinhts_core.backups.drill import drill
from coinhts_core.backups.manifest import Manifest, Verified, entries_in, lines_of
from coinhts_core.backups.programs import restored
from coinhts_core.backups.shelf import BackupShelf
from coinhts_core.backups.verify import verify
from coinhts_core.errors import DamagedBackupError
from coinhts_core.lake.directory import DirectoryStore
from coinhts_core.ledger.binaries import binary
from coinhts_core.ledger.connection import Ledger, connect, ensure_database
from coinhts_core.ledger.migrate import migrate
from coinhts_core.settings import Settings
from tests.core.backups.cleared import clear_drills
from tests.core.backups.stocked import TAKEN_AT, keep_backtest, stocked

LATER = TAKEN_AT + timedelta(hours=2)


@dataclass(frozen=True)
class Backup:
    """The newest of two of a house, one of another house, and how a database is changed behind a dump."""

    place: Path
    name: str
    older: str
    other: Path
    settings: Settings
    changed: Callable[[str], bytes]

    @property
    def folder(self) -> Path:
        return self.place / self.name

    def manifest(self) -> dict:
        return json.loads((self.folder / "manifest.json").read_bytes())

    def object_of(self, ending: str) -> Path:
        """The bytes of the first name in the lake that ends so."""
        entries = entries_in((self.folder / "heads.jsonl").read_bytes(), self.name)
        wanted = next(of for of in entries if of.path.startswith("candles/minute") and of.path.endswith(ending))
        return self.place / "objects" / wanted.sha256

    def flip(self, file: Path) -> None:
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 4
        file.write_bytes(content)

    def forge(self, **changes: object) -> None:
        """A manifest that says something else, signed anew, and a note that says it was looked at."""
        facts = {name: of for name, of in self.manifest().items() if name != "digest"} | changes
        manifest = Manifest.model_validate_json(json.dumps(facts))
        (self.folder / "manifest.json").write_bytes(manifest.to_text())
        for note in self.folder.glob("verified-*.json"):
            told = json.loads(note.read_bytes())
            told.pop("digest")
            seen = Verified.model_validate_json(json.dumps(told | {"manifest_digest": manifest.digest}))
            note.write_bytes(seen.to_text())

    def put(self, file: str, content: bytes, **changes: object) -> None:
        """Other bytes for a file of the backup, and a manifest to which they fit."""
        (self.folder / file).write_bytes(content)
        part = {"name": file, "size": len(content), "sha256": sha256(content).hexdigest()}
        others = [of for of in self.manifest()["parts"] if of["name"] != file]
        self.forge(parts=[*others, part], **changes)

    def put_heads(self, entries: list) -> None:
        lake = self.manifest()["lake"] | {"names": len(entries), "size": sum(of.size for of in entries)}
        self.put("heads.jsonl", lines_of(entries), lake=lake)

    def heads(self) -> list:
        return entries_in((self.folder / "heads.jsonl").read_bytes(), self.name)

    def told(self, table: str, **facts: object) -> dict:
        databases = self.manifest()["databases"]
        databases["ledger"]["tables"][table] |= facts
        return databases


def swap(one: Path, other: Path) -> None:
    ours, theirs = one.read_bytes(), other.read_bytes()
    one.write_bytes(theirs)
    other.write_bytes(ours)


def truncate(file: Path, part: float) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * part)])


BY_LOOKING: dict[str, Callable[[Backup], object]] = {
    "a bit in the dump of the ledger": lambda of: of.flip(of.folder / "ledger.dump"),
    "a bit in the dump of Dagster": lambda of: of.flip(of.folder / "dagster.dump"),
    "a bit in the rows of a month": lambda of: of.flip(of.object_of(".parquet")),
    "a bit in a commit": lambda of: of.flip(of.object_of(".json")),
    "a bit in the manifest": lambda of: of.flip(of.folder / "manifest.json"),
    "a bit in the heads": lambda of: of.flip(of.folder / "heads.jsonl"),
    "a setting changed": lambda of: of.flip(of.folder / "files.json"),
    "a dump cut off in its middle": lambda of: truncate(of.folder / "ledger.dump", 0.5),
    "a dump that lacks its last bytes": lambda of: truncate(of.folder / "ledger.dump", 0.999),
    "an empty dump": lambda of: truncate(of.folder / "ledger.dump", 0),
    "a missing dump": lambda of: (of.folder / "ledger.dump").unlink(),
    "dumps swapped": lambda of: swap(of.folder / "ledger.dump", of.folder / "dagster.dump"),
    "an added file": lambda of: (of.folder / "other.dump").write_bytes(b"content"),
    "an added folder": lambda of: ((of.folder / "more").mkdir(), (of.folder / "more/file").write_bytes(b"content")),
    "missing rows of a month": lambda of: of.object_of(".parquet").unlink(),
    "rows of a month under another's name": lambda of: of.object_of(".parquet").rename(
        of.place / "objects" / ("0" * 64)
    ),
    "rows and commit swapped": lambda of: swap(of.object_of(".parquet"), of.object_of(".json")),
    "empty rows of a month": lambda of: truncate(of.object_of(".parquet"), 0),
    "the manifest of an older one": lambda of: shutil.copy(of.place / of.older / "manifest.json", of.folder),
    "the manifest of another house": lambda of: shutil.copy(of.other / of.name / "manifest.json", of.folder),
    "the heads of another house": lambda of: shutil.copy(of.other / of.name / "heads.jsonl", of.folder),
    "all of another house but the note": lambda of: [
        shutil.copy(file, of.folder) for file in (of.other / of.name).glob("*") if "verified" not in file.name
    ],
    "an older one that was signed anew": lambda of: replace(of, name=of.older).forge(coinhts="another"),
    "a manifest spelled with spaces": lambda of: (of.folder / "manifest.json").write_text(
        json.dumps(of.manifest(), indent=1)
    ),
    "a note about another manifest": lambda of: [
        file.write_bytes(next((of.place / of.older).glob(file.name[:9] + "*")).read_bytes())
        for file in of.folder.glob("verified-*.json")
    ],
    "a commit whose rows are not kept": lambda of: of.put_heads(
        [one for one in of.heads() if not one.path.endswith(".parquet")]
    ),
}

BY_DRILL: dict[str, Callable[[Backup], object]] = {
    "rows that no commit names": lambda of: of.put_heads(
        [one for one in of.heads() if one.path.endswith(".parquet")][:1]
    ),
    "a count edited, all signed anew": lambda of: of.forge(databases=of.told("public.symbols", rows=2)),
    "a row changed in the dump": lambda of: of.put(
        "ledger.dump", of.changed("UPDATE coverage SET row_count = row_count + 1 WHERE day = '2026-01-31'")
    ),
    "a row missing from the dump": lambda of: of.put(
        "ledger.dump", of.changed("DELETE FROM coverage WHERE day = '2026-01-31'")
    ),
    "a table missing from the dump": lambda of: of.put("ledger.dump", of.changed("DROP TABLE listings")),
    "a table more in the dump": lambda of: of.put("ledger.dump", of.changed("CREATE TABLE more (number integer)")),
    "a constraint missing from the dump": lambda of: of.put(
        "ledger.dump", of.changed("ALTER TABLE coverage DROP CONSTRAINT answer_is_known")
    ),
    "an index missing from the dump": lambda of: of.put("ledger.dump", of.changed("DROP INDEX alerts_by_key")),
    "moments told in Korea's time": lambda of: of.put(
        "ledger.dump", of.changed("UPDATE coverage SET asked_at = asked_at + interval '9 hours'")
    ),
    "hashes worked out in another time zone": lambda of: of.forge(
        databases=of.told("public.coverage", content_hash="0" * 32)
    ),
    "a month of candles left out of the heads": lambda of: of.put_heads(
        [one for one in of.heads() if "month=2026-01" not in one.path]
    ),
    "a result's rows left out of the heads": lambda of: of.put_heads(
        [one for one in of.heads() if "/equity/" not in one.path]
    ),
    "a dump of the other house": lambda of: of.put("ledger.dump", (of.other / of.name / "ledger.dump").read_bytes()),
}


@pytest.fixture(scope="module")
def backup(postgres, tmp_path_factory):
    """Take two of a house and one of another, which traded otherwise, once for the module."""
    home, other = (tmp_path_factory.mktemp(of) for of in ("house", "other"))
    databases = [f"damage_{token_hex(6)}" for _ in range(4)]
    urls = [postgres.url(name) for name in databases]
    for url in urls:
        ensure_database(url)
    for url in urls[1::2]:
        with connect(url) as connection:
            connection.execute("CREATE TABLE runs (id integer PRIMARY KEY, body text NOT NULL)")
            connection.execute("INSERT INTO runs SELECT place, md5(place::text) FROM generate_series(1, 500) AS place")
    with Ledger.open(urls[0]) as ledger, Ledger.open(urls[2]) as of_other:
        for one in (ledger, of_other):
            migrate(one)
        house, another = stocked(home, ledger, urls[1]), stocked(other, of_other, urls[3])
        _cover(ledger, house)
        older = house.take(TAKEN_AT - timedelta(days=1))
        keep_backtest(of_other, another.lake, fast=3)
        names = [of.take() for of in (house, another)]
    assert names[0] == names[1]

    def changed(statement: str) -> bytes:
        """The newest dump as it would be, had the statement been executed before."""
        name = f"damage_{token_hex(6)}"
        url = postgres.url(name)
        ensure_database(url)
        restored([(home / "backups" / names[0] / "ledger.dump").read_bytes()], url, 18)
        with connect(url) as connection:
            connection.execute(statement.encode())
        dump = subprocess.run([binary("pg_dump"), "-Fc", f"--dbname={url}"], check=True, capture_output=True).stdout
        with connect(postgres.url("postgres")) as connection:
            connection.execute(f"DROP DATABASE {name}".encode())
        return dump

    yield Backup(home / "backups", names[0], older, other / "backups", house.settings, changed)
    with connect(postgres.url("postgres")) as connection:
        for name in databases:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _cover(ledger: Ledger, house) -> None:
    """What the ledger says of the days that the lake has."""
    with ledger.transaction() as connection:
        for day, entry in house.lake.heads("candles/minute", "KRW-BTC").items():
            connection.execute(
                "INSERT INTO coverage VALUES ('KRW-BTC', '1m', %s, 'complete', %s, %s, %s)",
                (day, entry.rows, entry.content_hash, TAKEN_AT),
            )


def damaged(backup: Backup, tmp_path: Path, damage: Callable[[Backup], object]) -> Backup:
    place = tmp_path / "backups"
    shutil.copytree(backup.place, place)
    of = replace(backup, place=place, settings=backup.settings.model_copy(update={"home": tmp_path}))
    damage(of)
    return of


def found_by_looking(of: Backup) -> tuple[str, ...]:
    return verify(BackupShelf(DirectoryStore(of.place)), of.name, LATER).damages


def found_by_drill(of: Backup) -> str:
    try:
        drill(BackupShelf(DirectoryStore(of.place)), of.name, of.settings, LATER)
    except DamagedBackupError as error:
        return str(error.reason)
    finally:
        clear_drills(of.settings.home)
    return ""


def test_a_backup_that_nobody_damaged_is_found_whole(backup, tmp_path):
    """Or finding damage would mean nothing."""
    of = damaged(backup, tmp_path, lambda of: of)
    assert found_by_looking(of) == ()
    assert BackupShelf(DirectoryStore(of.place)).find(of.name).is_whole


@pytest.mark.parametrize("kind", BY_LOOKING)
def test_looking_at_every_byte_finds(backup, tmp_path, kind):
    """The damage is named in a sentence, and the backup is not whole from then on."""
    of = damaged(backup, tmp_path, BY_LOOKING[kind])
    assert found_by_looking(of)
    assert not BackupShelf(DirectoryStore(of.place)).find(of.name).is_whole


@pytest.mark.parametrize("kind", ["a row changed in the dump", "a month of candles left out of the heads"])
def test_a_drill_finds_what_was_forged(backup, tmp_path, kind):
    """Though every digest fits and a look finds nothing; and the backup is not whole from then on."""
    of = damaged(backup, tmp_path, BY_DRILL[kind])
    assert found_by_looking(of) == ()
    assert found_by_drill(of)
    assert not BackupShelf(DirectoryStore(of.place)).find(of.name).is_whole


@pytest.mark.slow
def test_the_table_of_all_damage(backup, tmp_path, capsys):
    """What was damaged, who found it, and in which words: all of it is found, by whom it is said to be."""
    assert found_by_drill(damaged(backup, tmp_path / "whole", lambda of: of)) == ""
    rows = []
    for number, (kind, damage) in enumerate((BY_LOOKING | BY_DRILL).items()):
        of = damaged(backup, tmp_path / str(number), damage)
        looked = found_by_looking(of)
        drilled = "" if looked else found_by_drill(of)
        rows.append((kind, "verify" if looked else "drill" if drilled else "nobody", (*looked, drilled)[0]))
    with capsys.disabled():
        print()  # noqa: T201 - a table that people asked for
        for number, (kind, who, words) in enumerate(rows, start=1):
            print(f"{number:3} {kind:42} {who:7} {words[:110]}")  # noqa: T201 - as above
    assert {kind for kind, who, _ in rows if who == "verify"} == BY_LOOKING.keys()
    assert {kind for kind, who, _ in rows if who == "drill"} == BY_DRILL.keys()
