"""What drills leave of their servers, taken away after the tests that held them."""

import re
import shutil
from pathlib import Path

from coinhts_core.ledger.places import SHARED_FOLDER, place_of

_IS_SERVERS = re.compile("[0-9a-f]{16}")


def clear_drills(home: Path) -> None:
    """The files of each server below the home's drills; nothing else, wherever they are said to lie."""
    for folder in (home / "drills").glob("*/"):
        files = place_of(folder).files
        is_of_root = files.parent == SHARED_FOLDER and _IS_SERVERS.fullmatch(files.name)
        assert is_of_root or files == folder.resolve() / "postgres", files
        shutil.rmtree(files)
