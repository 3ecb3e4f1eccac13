"""The rooms: one file tells the whole story of its assets, checks, jobs, schedules and sensors.

What to add: a file with a function `define(house: House, ...)` that returns the room's definitions; it is found by
scanning this folder. What stays out: arithmetic and SQL (`coinhts_core`).
"""
