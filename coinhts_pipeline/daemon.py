"""The daemon: Dagster's schedules, sensors and queue.

What lives here: the way in, `python -m coinhts_pipeline.daemon run -w WORKSPACE`, after which everything is Dagster's.
What stays out: what the sensors do (`defs`).
"""

from dagster._daemon import controller
from dagster._daemon.cli import main

from coinhts_pipeline.dagster_logs import take_over

if __name__ == "__main__":
    take_over(controller)
    main()
