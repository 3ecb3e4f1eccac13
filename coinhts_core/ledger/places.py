"""Where the embedded server of one home keeps its files, and as whom it runs.

What lives here: the two layouts, an ordinary user's and root's. PostgreSQL refuses to run as root, so root's
server runs as an account of its own, below a directory that account may enter; permissions of what exists are
never changed. What stays out: the server (`server`).

    an ordinary user   files in HOME/postgres                  socket in /tmp/coinhts-<uid>-<hash>
    root               files in /var/lib/coinhts/<hash>, named in HOME/postgres.path; socket beside them
"""

import os
import pwd
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from stat import S_ISDIR
from typing import Any

from coinhts_core.errors import HomeUnusableError, LedgerStartError
from coinhts_core.hashes import digest
from coinhts_core.ledger.locks import alone

SHARED_FOLDER = Path("/var/lib/coinhts")
_ACCOUNT_NAME = "coinhts"
# Not the environment's temporary directory: two processes of one home must agree, whatever theirs is.
_SOCKETS = Path("/tmp")  # noqa: S108 the directory made in it is private and judged before use


@dataclass(frozen=True)
class Account:
    """As whom the server runs."""

    uid: int
    gid: int

    def to_run_as(self) -> dict[str, Any]:
        """Tell `subprocess`, which only root may ask for somebody else."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if os.geteuid() == 0 else {}


@dataclass(frozen=True)
class Place:
    """Everything of one server: whose it is, its files, its socket."""

    home: Path
    account: Account
    files: Path
    socket_directory: Path

    @property
    def data_directory(self) -> Path:
        return self.files / "data"

    @property
    def log(self) -> Path:
        """The directory of the logs, one file a weekday."""
        return self.files / "log"

    def private_directory(self, path: Path) -> Path:
        """Make it, or judge it: the server's own, for nobody else, not a link to elsewhere."""
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
        found = path.lstat()
        is_private = S_ISDIR(found.st_mode) and not found.st_mode & 0o077
        # Root's own are those a killed start had made and not yet handed over.
        if not is_private or found.st_uid not in {self.account.uid, os.geteuid()}:
            reason = f"{path} is not a directory that only its own account may enter; remove it"
            raise LedgerStartError(reason=reason, log=self.log)
        os.chown(path, self.account.uid, self.account.gid, follow_symlinks=False)
        return path


def place_of(home: Path) -> Place:
    try:
        home = home.absolute()
        home.mkdir(parents=True, exist_ok=True)
        home = home.resolve()
        return _of_root(home) if os.geteuid() == 0 else _of_user(home)
    except OSError as error:
        raise HomeUnusableError(home=home, reason=error.strerror or error) from error


def _of_user(home: Path) -> Place:
    if (home / "postgres.path").exists():
        raise HomeUnusableError(home=home, reason="its ledger was made by root and only root can start it")
    files = home / "postgres"
    files.mkdir(mode=0o700, exist_ok=True)
    account = Account(os.geteuid(), os.getegid())
    _judge_has_a_name(account, files / "log")
    socket_directory = _SOCKETS / f"coinhts-{account.uid}-{digest(_hex(files))[:16]}"
    return Place(home, account, files, socket_directory)


def _judge_has_a_name(account: Account, log: Path) -> None:
    """Containers like to run as a bare number, which PostgreSQL refuses."""
    try:
        pwd.getpwuid(account.uid)
    except KeyError as error:
        reason = f"user {account.uid} has no name here, and PostgreSQL wants one; add it to /etc/passwd"
        raise LedgerStartError(reason=reason, log=log) from error


def _of_root(home: Path) -> Place:
    if (home / "postgres").exists():
        owner = (home / "postgres").stat().st_uid
        reason = f"its ledger belongs to user {owner}; run coinhts as that user"
        raise HomeUnusableError(home=home, reason=reason)
    account = _server_account()
    files = _files_of_root(home)
    return Place(home, account, files, files / "socket")


def _files_of_root(home: Path) -> Path:
    """Read the directory from the home: one removed and made again names another, without old data."""
    note = home / "postgres.path"
    with alone(home / "postgres.lock"):
        if not note.exists():
            _write_durably(note, f"{SHARED_FOLDER / digest(_hex(home), token_hex(8))[:16]}\n")
    files = Path(note.read_text(encoding="utf-8").strip())
    if files.parent != SHARED_FOLDER or not re.fullmatch("[0-9a-f]{16}", files.name):
        reason = f"{note.name} names {files}, which is no server's place in {SHARED_FOLDER}"
        raise HomeUnusableError(home=home, reason=reason)
    for directory in (SHARED_FOLDER, files):
        _enterable_directory(directory)
    return files


def _hex(path: Path) -> str:
    """Spell a path so that it can be hashed, even one that is no text."""
    return os.fsencode(path).hex()


def _write_durably(note: Path, text: str) -> None:
    draft = note.with_suffix(".new")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(note)
    sync_directory(note.parent)


def sync_directory(directory: Path) -> None:
    """Let what was renamed in it outlast a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _enterable_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o711)
    except FileExistsError:
        return
    path.chmod(0o711)  # whatever the umask


def _server_account() -> Account:
    try:
        return _find_account()
    except KeyError:
        reason = _create_account()
    try:
        return _find_account()
    except KeyError:
        wish = f"run coinhts as an ordinary user, or create the system account {_ACCOUNT_NAME}"
        raise LedgerStartError(reason=f"{reason}; {wish}", log="not yet begun") from None


def _find_account() -> Account:
    found = pwd.getpwnam(_ACCOUNT_NAME)
    if found.pw_uid == 0:
        raise LedgerStartError(reason=f"the account {_ACCOUNT_NAME} is root itself", log="not yet begun")
    return Account(found.pw_uid, found.pw_gid)


def _create_account() -> str:
    """Why it may have failed; two who create it at once both end with it existing."""
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        return "PostgreSQL does not run as root, and there is no useradd to create an account for it"
    command = [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", str(SHARED_FOLDER)]
    command += ["--shell", "/usr/sbin/nologin", _ACCOUNT_NAME]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 fixed words, no input
    return f"PostgreSQL does not run as root, and no account could be created for it: {done.stderr.strip()}"
