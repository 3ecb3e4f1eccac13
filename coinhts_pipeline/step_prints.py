"""What steps print, kept in a file for each and shown where it would have been.

What lives here: Dagster's own keeper of these files, but for its helpers. What stays out: where the files lie
(`compute_logs`).

Stock Dagster begins four processes for every step: two to follow the files, and two to end these. A thread does that
for both, and what a killed step had printed is in its file all the same.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from io import FileIO, UnsupportedOperation
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self, TextIO

from dagster._core.execution.compute_logs import redirect_to_file
from dagster._core.storage.compute_log_manager import CapturedLogContext, ComputeIOType
from dagster._core.storage.local_compute_log_manager import IO_TYPE_EXTENSION, LocalComputeLogManager
from dagster._serdes import ConfigurableClassData

_PAUSE_S = 0.2
_AT_ONCE = 2**16

Prints = tuple[FileIO, FileIO]


class StepPrints(LocalComputeLogManager):
    """Named in the dagster.yaml of a home whose lake is a directory."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Iterator[CapturedLogContext]:
        streams = {ComputeIOType.STDOUT: sys.stdout, ComputeIOType.STDERR: sys.stderr}
        files = {
            Path(self.get_captured_local_path(log_key, IO_TYPE_EXTENSION[kind])): stream
            for kind, stream in streams.items()
        }
        with _shown(files), ExitStack() as stack:
            for file, stream in files.items():
                stack.enter_context(redirect_to_file(stream, str(file)))
            yield CapturedLogContext(log_key)
        Path(self.get_captured_local_path(log_key, "complete")).touch()


@contextmanager
def _shown(files: Mapping[Path, TextIO]) -> Iterator[None]:
    """What comes to be in the files is written to the streams as they are now, and all of it in the end."""
    has_ended = Event()
    with ExitStack() as stack:
        prints = [stack.enter_context(_followed(file, stream)) for file, stream in files.items()]
        thread = Thread(target=_show, args=([of for of in prints if of], has_ended), name="prints", daemon=True)
        thread.start()
        try:
            yield
        finally:
            has_ended.set()
            thread.join()


@contextmanager
def _followed(file: Path, stream: TextIO) -> Iterator[Prints | None]:
    """The file from its end on, and where the stream leads before it is led into the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    try:
        leads_to = os.dup(stream.fileno())
    except (OSError, UnsupportedOperation, AttributeError):
        yield None  # a stream that is no file's cannot be led elsewhere either
        return
    with FileIO(file) as written, FileIO(leads_to, "w") as shown:
        written.seek(0, os.SEEK_END)
        yield written, shown


def _show(prints: Sequence[Prints], has_ended: Event) -> None:
    is_last = False
    while not is_last:
        is_last = has_ended.wait(_PAUSE_S)
        for written, shown in prints:
            _show_more(written, shown)


def _show_more(written: FileIO, shown: FileIO) -> None:
    with suppress(OSError):  # nobody reads it any more
        while more := written.read(_AT_ONCE):
            while more:
                more = more[shown.write(more) :]
