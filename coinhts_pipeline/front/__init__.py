"""One port: who may enter, our own pages, and Dagster's UI in a process behind it."""
