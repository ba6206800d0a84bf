"""An account of a result in words: from which structure, by which steps, versions and inputs, and in how long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiida import orm
from aiida.common.links import LinkType
from aiida_pseudo.data.pseudo.pseudo import PseudoPotentialData

MAXIMUM_LENGTH = 80
"""Characters of a value in a list; longer ones are named by their type."""


def write_account(node: orm.Node) -> str:
    """Return the account of a process, or of data, as Markdown.

    Args:
        node: the process; for data, the outermost workflow that made them is told of, if any made them.
    """
    process = origin(node)
    if process is None:
        return f'# {_name(node)}\n\nStored by {node.user.email} on {_time(node)}; no process made it.\n'
    lines = [f'# {_name(node)}', '']
    if process.pk != node.pk:
        lines += [f'Made by {_name(process)}.', '']
    lines += [_outcome(process), '', '## From', '', *_sources(process), '', '## By these steps', '', *_steps(process)]
    lines += ['', '## With these inputs', '', *_inputs(process), '', '## Versions', '', *_versions(process)]
    lines += ['', '## Results', '', *_results(process), '']
    return '\n'.join(lines)


def origin(node: orm.Node) -> orm.ProcessNode | None:
    """Return the process itself, or the outermost one that called the creator of the data."""
    process = node if isinstance(node, orm.ProcessNode) else node.creator
    if isinstance(node, orm.Data):
        while process is not None and process.caller is not None:
            process = process.caller
    return process


def _name(node: orm.Node) -> str:
    kind = node.process_label if isinstance(node, orm.ProcessNode) else type(node).__name__
    return f'{kind} {node.uuid}'


def _time(node: orm.Node) -> str:
    return str(node.ctime.strftime('%Y-%m-%d %H:%M:%S %Z'))


def _seconds(process: orm.ProcessNode) -> float:
    return float((process.mtime - process.ctime).total_seconds())


def _outcome(process: orm.ProcessNode) -> str:
    """Return a sentence: when it started, how it ended, and after how long."""
    start = f'Started on {_time(process)} by {process.user.email}'
    if not process.is_terminated:
        return f'{start}; it has not ended.'
    end = 'finished with success' if process.is_finished_ok else f'ended with: {_failure(process)}'
    return f'{start}; {end} after {_seconds(process):.1f} s.'


def _failure(process: orm.ProcessNode) -> str:
    status = '' if process.exit_status is None else f' (exit status {process.exit_status})'
    return f'{process.exit_message or process.process_status or process.process_state.value}{status}'


def _sources(process: orm.ProcessNode) -> list[str]:
    """Return a line for each structure among the inputs: what it is, and how it came into being."""
    structures = [data for _, data in _linked_inputs(process) if isinstance(data, orm.StructureData)]
    lines = []
    for structure in {structure.pk: structure for structure in structures}.values():
        lines.append(f'- {structure.get_formula()}, {len(structure.sites)} atoms, structure {structure.uuid}')
        lines += [f'  - {line}' for line in _history(structure)]
    return lines or ['No structure is among the inputs.']


def _history(data: orm.Data) -> Iterator[str]:
    """Say, from the last step to the first, by what data were made and of what."""
    creator = data.creator
    if creator is None:
        yield f'stored by {data.user.email} on {_time(data)}'
        return
    parents = dict(_linked_inputs(creator))
    given = ', '.join(f'{label} {_value(parent)}' for label, parent in parents.items())
    yield f'made by {creator.process_label} on {_time(creator)} of {given}'
    for parent in parents.values():
        if parent.creator is not None:
            yield from _history(parent)


def _linked_inputs(process: orm.ProcessNode) -> list[tuple[str, orm.Data]]:
    links = process.base.links.get_incoming(link_type=(LinkType.INPUT_CALC, LinkType.INPUT_WORK)).all()
    return sorted(((link.link_label.replace('__', '.'), link.node) for link in links), key=lambda pair: pair[0])


def _called(process: orm.ProcessNode) -> list[tuple[str, orm.ProcessNode]]:
    links = process.base.links.get_outgoing(link_type=(LinkType.CALL_CALC, LinkType.CALL_WORK)).all()
    return [(link.link_label, link.node) for link in sorted(links, key=lambda link: link.node.pk)]


def _steps(process: orm.ProcessNode, depth: int = 0) -> list[str]:
    """Return the tree of processes, each with its name, its version, how it ended and how long it took."""
    lines = []
    for label, child in _called(process):
        state = f'{_seconds(child):.1f} s' if child.is_terminated else 'not ended'
        details = [_name(child), *_engine(child), state]
        if child.is_terminated and not child.is_finished_ok:
            details.append(_failure(child))
        if (source := child.base.caching.get_cache_source()) is not None:
            details.append(f'a copy of {source}')
        lines.append(f'{"  " * depth}- {label}: {", ".join(details)}')
        lines += _steps(child, depth + 1)
    return lines or (['It called no other process.'] if depth == 0 else [])


def _engine(process: orm.ProcessNode) -> list[str]:
    """Return the executable and the computer of a calculation."""
    if not isinstance(process, orm.CalcJobNode):
        return []
    code = process.inputs.code if 'code' in process.inputs else None
    return [] if code is None else [f'{code.full_label} ({code.filepath_executable})']


def _value(data: orm.Data) -> str:
    """Return a short value of data, else their type, file name and UUID."""
    if isinstance(data, orm.Code):
        return str(data.full_label)
    if isinstance(data, orm.BaseType):
        return str(data.value)
    if isinstance(data, orm.KpointsData) and 'mesh' in data.base.attributes.all:
        return str(data.get_description())
    if isinstance(data, orm.Dict | orm.List) and len(text := str(data.base.attributes.all)) <= MAXIMUM_LENGTH:
        return text
    name = getattr(data, 'filename', None)
    return ' '.join(filter(None, [type(data).__name__, name, data.uuid]))


def _inputs(process: orm.ProcessNode) -> list[str]:
    """Return a line for each input; dictionaries are written out, pseudopotentials named by their checksum."""
    lines = []
    for label, data in _linked_inputs(process):
        if isinstance(data, PseudoPotentialData):
            lines.append(f'- {label}: {data.element}, {data.filename}, MD5 {data.md5}')
        elif isinstance(data, orm.Dict):
            lines += [f'- {label}.{path}: {value}' for path, value in _flatten(data.get_dict())]
        else:
            lines.append(f'- {label}: {_value(data)}')
    return lines or ['It has no inputs.']


def _results(process: orm.ProcessNode) -> list[str]:
    """Return a line for each number or word among the outputs, and for each other output its type and UUID."""
    lines = []
    links = process.base.links.get_outgoing(link_type=(LinkType.CREATE, LinkType.RETURN)).all()
    for link in sorted(links, key=lambda link: link.link_label):
        label, data = link.link_label.replace('__', '.'), link.node
        short = list(_flatten(data.get_dict())) if isinstance(data, orm.Dict) else []
        if 0 < len(short) <= MAXIMUM_LENGTH:
            lines += [f'- {label}.{path}: {value}' for path, value in short]
        else:
            lines.append(f'- {label}: {_value(data)}')
    return lines or ['It has no outputs.']


def _flatten(values: dict[str, Any], path: str = '') -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(value, f'{path}{key}.')
        elif len(str(value)) <= MAXIMUM_LENGTH:
            yield f'{path}{key}', value


def _versions(process: orm.ProcessNode) -> list[str]:
    """Return the versions of AiiDA, of the package of each process, and those that engines report."""
    found: dict[str, None] = {}
    for node in (process, *process.called_descendants):
        version = node.base.attributes.get('version', {})
        if 'core' in version:
            found[f'- aiida-core {version["core"]}'] = None
        if 'plugin' in version and node.process_type:
            package = node.process_type.split(':')[-1].split('.')[0]
            found[f'- {package} (plugin) {version["plugin"]}'] = None
        if 'output_parameters' in node.outputs:
            parameters = node.outputs.output_parameters.get_dict()
            for key in (key for key in parameters if key.endswith('version') and 'parser' not in key):
                found[f'- {key.replace("_", " ")}: {parameters[key]}'] = None
    return list(found) or ['No version is recorded.']
