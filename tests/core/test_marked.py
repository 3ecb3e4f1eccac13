import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.marked import put_marked

rare = st.sampled_from([0] * 7 + [1, -1])


@given(st.lists(rare, max_size=200) | st.lists(st.sampled_from([1, -1]), max_size=40), st.integers(0, 9))
def test_what_is_marked_is_put_behind_what_is_there(marks, before):
    """In its order, counted from 1 and with its sign, however many stand side by side; nothing else is touched."""
    expected = [(before + bar + 1) * mark for bar, mark in enumerate(marks) if mark]
    bars = np.full(3 + len(expected), 77, dtype=np.int32)
    put = put_marked(np.array(marks, dtype=np.int8), before, np.empty(len(marks) // 8, dtype=np.int64), bars, 3)
    assert put == len(bars)
    assert bars.tolist() == [77, 77, 77, *expected]
