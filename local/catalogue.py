"""The model list that a user chose for the simulator of `make run` and `make local`."""

import os
from pathlib import Path

from local.processes import LocalCloudError
from local.simulator.catalogue import CatalogueError, read_catalogue


def chosen_catalogue() -> Path | None:
    """Return the file that CATALOGUE names in the environment, or None for the recorded list.

    The file is read here, before anything is started. Raises LocalCloudError where it is not a usable model list.
    """
    name = os.environ.get("CATALOGUE")
    if not name:
        return None
    try:
        read_catalogue(Path(name))
    except CatalogueError as error:
        raise LocalCloudError(f"CATALOGUE={name} cannot be used: {error}") from error
    return Path(name)
