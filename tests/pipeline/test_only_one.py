import os

import pytest

from coinhts_core.errors import AlreadyUpError
from coinhts_pipeline.only_one import only_one


def test_the_second_is_told_who_the_first_is(tmp_path):
    """And comes in once the first has gone."""
    with only_one(tmp_path), pytest.raises(AlreadyUpError, match=f"process {os.getpid()}"), only_one(tmp_path):
        pass
    with only_one(tmp_path):
        assert (tmp_path / "up.lock").read_text() == str(os.getpid())
