"""What the demo leaves in its data directory, for whoever must tell it from other people's."""

from typing import Final

MARK: Final = "demo"
"""A file that says whose the directory is: `--reset` clears nothing else."""
SCRATCH: Final = "upstream"
"""A directory of what the scripted upstream remembers."""
