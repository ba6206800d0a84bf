"""The file that describes a campaign: which structures, which workflow, how much at once, what to do with failures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from aiida_foundry.common.errors import InputError

NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]{0,99}')
EXIT_CODES = re.compile(r'[1-9](\d\d|xx)')


class Strict(BaseModel):
    """A record whose keys are all known and that does not change."""

    model_config = ConfigDict(extra='forbid', frozen=True)


class Structures(Strict):
    """Where the structures of a campaign come from: exactly one source.

    Args:
        folder: of CIF, POSCAR and extended xyz files, relative to the campaign file; all files directly in it.
        group: label of an AiiDA group of structures.
        query: filters of AiiDA's ``QueryBuilder`` on ``StructureData``.
        names: files, PKs, UUIDs, or crystals known by name, as the option ``--structure`` takes them.
        cell: what to make of a file: its standardised primitive cell, or the cell as written.
    """

    folder: str | None = None
    group: str | None = None
    query: dict[str, Any] | None = None
    names: tuple[str, ...] | None = None
    cell: Literal['primitive', 'as-given'] = 'primitive'

    @model_validator(mode='after')
    def _one_source(self) -> Structures:
        given = [name for name in ('folder', 'group', 'query', 'names') if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f'give exactly one of folder, group, query and names, not {given or "none"}')
        return self


class Limits(Strict):
    """How much runs at once.

    Args:
        running: workflows of this campaign that have not ended.
        per_computer: by label of a computer, the workflows of all campaigns of the profile with a code on it.
    """

    running: Annotated[int, Field(ge=1)] = 10
    per_computer: dict[str, Annotated[int, Field(ge=0)]] = {}


class Retry(Strict):
    """What is run again after a failure; its steps that succeeded come from the cache.

    Args:
        attempts: times that a job is started at most. Jobs that a person killed do not count.
        exit_codes: exit statuses that another attempt may cure, or classes of them such as ``3xx``. A process that
            excepted is always tried again.
    """

    attempts: Annotated[int, Field(ge=1)] = 2
    exit_codes: tuple[str, ...] = ('3xx', '4xx')

    @field_validator('exit_codes', mode='before')
    @classmethod
    def _exit_codes(cls, values: Any) -> Any:
        if not isinstance(values, (list, tuple)):
            return values
        wrong = [value for value in values if not EXIT_CODES.fullmatch(str(value))]
        if wrong:
            raise ValueError(f'{wrong} are no exit codes; write 305 or 3xx')
        return tuple(str(value) for value in values)

    def covers(self, exit_status: int) -> bool:
        """Return whether another attempt may cure this exit status."""
        return bool({str(exit_status), f'{exit_status // 100}xx'} & set(self.exit_codes))


class CampaignFile(Strict):
    """What a file ``campaign.yaml`` says.

    Args:
        name: of the campaign, unique in the profile.
        description: for people.
        workflow: entry point of a WorkChain with a method ``get_builder_from_protocol`` that takes a structure.
        structures: what it runs over.
        codes: labels of codes by the argument of ``get_builder_from_protocol``; nested for an argument that is a
            mapping of codes.
        protocol: name of the protocol; without it the default one of the workflow.
        overrides: replacements of what the protocol sets.
        arguments: further arguments of ``get_builder_from_protocol``.
        limits: how much runs at once.
        retry: what is run again after a failure.
        max_failed_fraction: share of the jobs that ended which may have failed; beyond, nothing more is submitted.
        clean: when the work folders of a job are removed: ``finished`` when it succeeded, ``always`` also when it
            failed for good, ``never``.
    """

    name: str
    description: str = ''
    workflow: str
    structures: Structures
    codes: dict[str, str | dict[str, str]] = {}
    protocol: str | None = None
    overrides: dict[str, Any] = {}
    arguments: dict[str, Any] = {}
    limits: Limits = Limits()
    retry: Retry = Retry()
    max_failed_fraction: Annotated[float, Field(ge=0, le=1)] = 0.2
    clean: Literal['finished', 'always', 'never'] = 'finished'

    @field_validator('name')
    @classmethod
    def _name(cls, value: str) -> str:
        if not NAME.fullmatch(value):
            raise ValueError('it may have letters, digits, dots, dashes and underscores, at most 100')
        return value

    @property
    def science(self) -> dict[str, Any]:
        """What a result depends on, beside the structure: it never changes during a campaign."""
        return self.model_dump(mode='json', include={'workflow', 'codes', 'protocol', 'overrides', 'arguments'})


def read_campaign_file(path: Path) -> CampaignFile:
    """Read and check a campaign file; a relative folder of structures becomes absolute.

    Raises:
        InputError: if it cannot be read, is no YAML, or does not fit the schema.
    """
    subject = f'campaign file `{path}`'
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError) as exception:
        raise InputError(subject, f'it cannot be read ({exception})', 'Give the path of a campaign.yaml') from None
    except yaml.YAMLError as exception:
        raise InputError(subject, f'it is no YAML ({exception})', 'Correct it') from None
    if not isinstance(content, dict):
        raise InputError(subject, 'it holds no keys', 'See workchains/README.md for what it needs')
    plan = check_campaign(content, subject)
    folder = plan.structures.folder
    if folder is None:
        return plan
    absolute = str((path.parent / folder).resolve())
    return plan.model_copy(update={'structures': plan.structures.model_copy(update={'folder': absolute})})


def check_campaign(content: dict[str, Any], subject: str = 'campaign') -> CampaignFile:
    """Return the content of a campaign file as a record.

    Raises:
        InputError: names each key that is wrong.
    """
    try:
        return CampaignFile.model_validate(content)
    except ValidationError as exception:
        errors = '; '.join(
            f'`{".".join(str(key) for key in error["loc"]) or "file"}`: {error["msg"]}' for error in exception.errors()
        )
        raise InputError(subject, errors, 'See workchains/README.md for the keys') from None
