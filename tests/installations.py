"""An installation as an operator makes it: a data directory and a migrated database in it."""

from pathlib import Path
from typing import Any

from farebox.lease import make_data_dir
from host.config import Settings
from storage.migrate import upgrade


def installed(folder: Path, **settings: Any) -> Settings:
    """The settings of a new installation in this folder."""
    found = Settings(_env_file=None, data_dir=folder / "data", **settings)
    make_data_dir(found.data_dir)
    upgrade(found.database)
    return found
