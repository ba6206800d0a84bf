"""Where a screening keeps its work until it is in the graph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiida.manage import get_manager
from aiida.manage.configuration import get_config

from aiida_foundry.workflows.interfaces.tiles import Screening


def work_folder(archive: str, parameters: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> Path:
    """Return the folder of a screening: beside AiiDA's configuration, by profile and by content of the inputs."""
    profile = get_manager().get_profile()
    name = 'none' if profile is None else profile.name
    key = Screening(archive, parameters, known, Path()).key
    return Path(get_config().dirpath) / 'foundry' / 'screenings' / name / key
