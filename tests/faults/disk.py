"""A disk that is slow, or that forgets what was never synced: built from `disk.c`, preloaded.

What the shadow models. SQLite in WAL mode syncs the log at each commit (FULL only) and before each
checkpoint, then the database file after the checkpoint's pages; only then may the log begin anew,
and its new header is synced before the first frame. The shadow holds each file as it was at its
last sync, so a cut leaves the oldest state that the syncs allow: a page of the database or a frame
of the log that was written and not synced is lost. The `-shm` file is never synced and never
needed. A process killed between the real sync and the end of the copy has told nobody yet, so that
the older copy stands is one of the things that power loss may do.

Its limits. Files are whole: no torn sector, and no write that reached the platter by luck while
another did not (tests/faults/test_power_loss.py mixes those in). A new file's name counts from its
first sync on, and a removal from the next sync of its directory, which is when SQLite asks for it;
a rename is not modelled, nor a disk that lies about its cache. One directory is watched without
its children, and its files must be open for reading when they are synced, as SQLite's are.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

_SLOW_OR_FORGETFUL: Final = Path(__file__).with_name("disk.c")
NO_COMPILER: Final = "gcc is not on this machine"


def build_shim(directory: Path, source: Path = _SLOW_OR_FORGETFUL) -> Path:
    """Compile a shim into `directory`. Without a compiler: skipped, and in CI failed."""
    compiler = shutil.which("gcc")
    if compiler is None:
        if os.environ.get("CI"):  # noqa: TID251 - where nothing may be skipped
            pytest.fail(NO_COMPILER)
        pytest.skip(NO_COMPILER)
    shim = directory / f"{source.stem}.so"
    warnings = ["-Wall", "-Wextra", "-Werror"]
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O2", *warnings, "-o", shim, source, "-ldl", "-pthread"],
        check=True,
    )
    return shim


def shim_env(
    shim: Path, *, delay_us: int = 0, watch: Path | None = None, shadow: Path | None = None
) -> dict[str, str]:
    """What a process needs in its environment for such a disk; add it to its other variables.

    Give `watch` (the directory of the database) and `shadow` (an existing directory elsewhere)
    together. The process reads the settings once and hides them: its own children have a plain
    disk again.
    """
    assert (watch is None) == (shadow is None), "a shadow is of a watched directory"
    env = {"LD_PRELOAD": str(shim)}
    if delay_us:
        env["FAREBOX_DISK_DELAY_US"] = str(delay_us)
    if watch is not None and shadow is not None:
        env["FAREBOX_DISK_WATCH"] = str(watch.resolve())  # as /proc/self/fd names it
        env["FAREBOX_DISK_SHADOW"] = str(shadow.resolve())
    return env
