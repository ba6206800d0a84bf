"""A campaign as it is kept in the profile: a group of structures, and what is to be done with them as extras."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from aiida.common.exceptions import NotExistent
from aiida.manage import get_manager
from aiida.orm import Group, QueryBuilder, StructureData

from aiida_foundry.common.errors import InputError
from aiida_foundry.screening.builders import computers_of, load_workflow
from aiida_foundry.screening.campaign_file import CampaignFile, Structures, check_campaign
from aiida_foundry.screening.sources import iterate_structures

LABEL = 'foundry/campaigns/'
"""Prefix of the label of the group of a campaign."""

PLAN, STOP, REFUSED = 'foundry_plan', 'foundry_stop', 'foundry_refused'
"""Extras of the group: the campaign file, whether the driver is asked to stop, files that are no structures."""

CHUNK = 100
"""Structures that are added to the group at a time."""


@dataclass(frozen=True)
class Settings:
    """What a driver looks up again and again, since another process may change it.

    Args:
        plan: the campaign file.
        stop: whether the driver is asked to stop.
        structures: their number.
    """

    plan: CampaignFile
    stop: bool
    structures: int


class Campaign:
    """A campaign of the loaded profile.

    Args:
        group: the group of its structures.
    """

    def __init__(self, group: Group) -> None:
        self.group = group
        self.name = group.label.removeprefix(LABEL)
        self.extra = f'foundry_campaign_{group.uuid[:8]}'

    @classmethod
    def load(cls, name: str) -> Campaign:
        """Return the campaign of this name.

        Raises:
            InputError: if the profile has none.
        """
        try:
            return cls(Group.collection.get(label=f'{LABEL}{name}'))
        except NotExistent:
            known = ', '.join(campaign_names()) or 'none'
            raise InputError(
                f'campaign `{name}`', f'the profile has none of this name (there are: {known})', 'Create it'
            ) from None

    def settings(self) -> Settings:
        """Read what may have been changed by another process."""
        end_snapshot()
        query = QueryBuilder().append(Group, filters={'id': self.group.pk}, project='extras', tag='group')
        extras = query.first(flat=True)
        return Settings(check_campaign(extras[PLAN]), bool(extras.get(STOP)), self._structures([]).count())

    def rows(self) -> list[tuple[int, str, dict[str, Any]]]:
        """Return PK and label of each structure, and what the campaign noted on it, in the order of their PKs."""
        query = self._structures(['id', 'label', f'extras.{self.extra}'])
        query.order_by({'structure': {'id': 'asc'}})
        return [(pk, label, note or {}) for pk, label, note in query.iterall()]

    def note(self, structure: StructureData, **values: Any) -> None:
        """Keep values of this campaign on a structure; others are kept."""
        known = structure.base.extras.get(self.extra, {})
        if known | values != known:
            structure.base.extras.set(self.extra, known | values)

    def request_stop(self, stop: bool = True) -> None:
        """Ask the driver to submit nothing more; or take that back."""
        self.group.base.extras.set(STOP, stop)

    @property
    def refused_files(self) -> dict[str, str]:
        """Files that were no structures, and why."""
        return dict(self.group.base.extras.get(REFUSED, {}))

    def _structures(self, project: list[str]) -> QueryBuilder:
        query = QueryBuilder().append(Group, filters={'id': self.group.pk}, tag='group')
        return query.append(StructureData, with_group='group', tag='structure', project=project or ['id'])


def create_campaign(plan: CampaignFile, report: Callable[[int], None] = lambda _: None) -> tuple[Campaign, int]:
    """Make a campaign, or change and extend the one of this name; return it and the number of structures added.

    Limits, retries and the tolerated failures may change at any time, and structures may be added; a driver that runs
    takes notice. What the results depend on may not.

    Args:
        plan: the campaign.
        report: told now and then how many structures were added so far.

    Raises:
        InputError: if workflow, codes or structures are not there, or if the name belongs to a campaign of another
            workflow, protocol, codes or arguments.
    """
    load_workflow(plan.workflow)
    computers_of(plan)
    group = _group_of(plan)
    group.base.extras.set(PLAN, plan.model_dump(mode='json'))
    campaign = Campaign(group)
    refused: dict[str, str] = {}
    from_files = plan.structures.folder is not None or plan.structures.names is not None
    known = {node.base.caching._compute_hash() for node in group.nodes} if from_files else set()
    before = group.count()
    structures = iterate_structures(plan.structures, refused.__setitem__, known)
    while chunk := list(islice(structures, CHUNK)):
        for name, structure in chunk:
            campaign.note(structure, name=name)
        group.add_nodes([structure for _, structure in chunk])
        report(group.count() - before)
    group.base.extras.set(REFUSED, refused)
    if not group.count():
        raise InputError('structures', f'none can be used: {refused}', 'Correct them')
    return campaign, group.count() - before


def _group_of(plan: CampaignFile) -> Group:
    """Return the group of a campaign, which is made if there is none."""
    group, created = Group.collection.get_or_create(label=f'{LABEL}{plan.name}')
    if created:
        group.description = plan.description
        return group
    old = check_campaign(group.base.extras.get(PLAN)) if PLAN in group.base.extras.all else plan
    changed = [key for key, value in plan.science.items() if old.science[key] != value]
    if changed:
        raise InputError(
            f'campaign `{plan.name}`',
            f'it exists with other values of {", ".join(changed)}, so that results would not be comparable',
            'Give the new campaign another name',
        )
    return group


def campaign_names() -> list[str]:
    """Return the names of the campaigns of the profile."""
    query = QueryBuilder().append(Group, filters={'label': {'like': f'{LABEL}%'}}, project='label')
    return sorted(label.removeprefix(LABEL) for label in query.all(flat=True))


def plan_structures(source: Structures) -> Iterator[tuple[str, StructureData]]:
    """Iterate over the structures of a campaign that is not made; nothing is stored.

    Raises:
        InputError: for the first that cannot be used.
    """

    def refuse(name: str, reason: str) -> None:
        raise InputError(f'structure `{name}`', reason, 'Correct or remove it')

    yield from iterate_structures(source, refuse, store=False)


def end_snapshot() -> None:
    """End the read transaction of the storage, so that the next query sees what other processes wrote."""
    storage = get_manager().get_profile_storage()
    if hasattr(storage, 'get_session'):
        storage.get_session().commit()
