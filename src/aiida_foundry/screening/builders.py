"""From a campaign and a structure to the builder of a process."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from enum import Enum
from typing import Any

from aiida.common.exceptions import EntryPointError, MultipleObjectsError, NotExistent
from aiida.engine import ProcessBuilder, WorkChain
from aiida.orm import AbstractCode, StructureData, load_code
from aiida.plugins import WorkflowFactory

from aiida_foundry.common.errors import InputError
from aiida_foundry.screening.campaign_file import CampaignFile


def build(plan: CampaignFile, structure: StructureData) -> ProcessBuilder:
    """Return the builder of the job of a structure.

    Raises:
        InputError: if workflow, codes or arguments cannot work.
    """
    workflow = load_workflow(plan.workflow)
    arguments = {**_codes(plan.codes), **_arguments(workflow, plan)}
    builder: ProcessBuilder = workflow.get_builder_from_protocol(
        structure=structure, protocol=plan.protocol, overrides=plan.overrides or None, **arguments
    )
    return builder


def load_workflow(entry_point: str) -> type[WorkChain]:
    """Return a workflow that makes its own builder from a protocol.

    Raises:
        InputError: if there is none with this entry point, or it has no such method.
    """
    subject = f'workflow `{entry_point}`'
    try:
        workflow = WorkflowFactory(entry_point)
    except EntryPointError:
        remedy = '`verdi plugin list aiida.workflows` lists those that are installed'
        raise InputError(subject, 'no workflow is installed under this entry point', remedy) from None
    if not hasattr(workflow, 'get_builder_from_protocol'):
        raise InputError(subject, 'it has no method get_builder_from_protocol', 'Use one that has')
    return workflow


def computers_of(plan: CampaignFile) -> set[str]:
    """Return the labels of the computers that the codes of a campaign are on."""

    def _walk(codes: Mapping[str, Any]) -> set[str]:
        found = (_walk(code) if isinstance(code, Mapping) else {code.computer.label} for code in codes.values())
        return set().union(*found)

    return _walk(_codes(plan.codes))


def _codes(labels: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _codes(label) if isinstance(label, Mapping) else _load_code(name, label) for name, label in labels.items()
    }


def _load_code(name: str, label: str) -> AbstractCode:
    try:
        return load_code(label)
    except (NotExistent, MultipleObjectsError, ValueError) as exception:
        raise InputError(
            f'code `{name}: {label}`',
            f'the profile has no such code, or several ({exception})',
            '`verdi code list` shows those of the profile, `aiida-foundry setup` registers what it finds',
        ) from None


def _arguments(workflow: type[WorkChain], plan: CampaignFile) -> dict[str, Any]:
    """Return the further arguments; a string becomes a member of the enumeration that is the default of its argument.

    Raises:
        InputError: for an argument that the method does not take, and a value that is not of the enumeration.
    """
    parameters = inspect.signature(workflow.get_builder_from_protocol).parameters
    free = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    given = {}
    for name in (*plan.codes, *plan.arguments):
        if name not in parameters and not free:
            known = ', '.join(parameters)
            raise InputError(f'argument `{name}`', f'{plan.workflow} does not take it', f'It takes {known}')
    for name, value in plan.arguments.items():
        default = parameters[name].default if name in parameters else None
        given[name] = _member(name, type(default), value) if isinstance(default, Enum) else value
    return given


def _member(name: str, kind: type[Enum], value: Any) -> Enum:
    try:
        return kind(value)
    except ValueError:
        known = ', '.join(str(member.value) for member in kind)
        raise InputError(f'argument `{name}`', f'{value!r} is unknown', f'Known are {known}') from None
