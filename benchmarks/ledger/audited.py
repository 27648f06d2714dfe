"""A process that runs one command of the ledger and says what it took: `audited verify|export`.

The command's own output goes where it always goes; the last line of the error stream is ours.
"""

import json
import re
import sys
import time
from pathlib import Path

from farebox.cli import app


def main(command: str) -> None:
    """Run `farebox ledger COMMAND`.

    Raises:
        SystemExit: the command failed.
    """
    options = ["--json"] if command == "verify" else []
    began_at = time.perf_counter()
    app(["ledger", command, *options], standalone_mode=False)
    sys.stdout.flush()
    told = {"seconds": time.perf_counter() - began_at, "peak_kib": _peak_kib()}
    print(json.dumps(told), file=sys.stderr)


def _peak_kib() -> int:
    """The most memory this process has had: `ru_maxrss` would count its parent's before exec."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None, "Linux says so of every process"
    return int(found[1])


if __name__ == "__main__":
    main(sys.argv[1])
