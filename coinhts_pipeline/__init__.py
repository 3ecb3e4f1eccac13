"""coinhts on Dagster: assets, schedules, sensors, and the command line. What they compute lives in coinhts_core."""
