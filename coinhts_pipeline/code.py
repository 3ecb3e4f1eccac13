"""The code location: Dagster's own server of definitions, and of the runs that others ask it for.

What lives here: the way in, `python -m coinhts_pipeline.code api grpc …`, after which everything is Dagster's. A run is
a process of its own that begins by importing this module. What stays out: the definitions.
"""

from dagster._cli import api, main

from coinhts_pipeline.dagster_logs import take_over

if __name__ in {"__main__", "__mp_main__"}:
    take_over(api)

if __name__ == "__main__":
    main()  # type: ignore[no-untyped-call]
