"""The code location: Dagster's own server of definitions, and of the runs that others ask it for.

What lives here: the way in, `python -m coinhts_pipeline.code api grpc …`, after which everything is Dagster's. A run is
a process of its own that begins by importing this module. What stays out: the definitions.
"""

import gc

from dagster._cli import api, main

from coinhts_pipeline.dagster_logs import take_over

_MADE, _TIMES, _TIMES_AGAIN = 50_000, 20, 50


def collect_seldom() -> None:
    """Most of what is loaded stays: looking for rubbish in it as often as Python does takes a fifth of the time."""
    gc.set_threshold(_MADE, _TIMES, _TIMES_AGAIN)


if __name__ in {"__main__", "__mp_main__"}:
    collect_seldom()
    take_over(api)

if __name__ == "__main__":
    main()  # type: ignore[no-untyped-call]
