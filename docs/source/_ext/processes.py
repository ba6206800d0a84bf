"""The directive ``process-reference``: inputs, outputs and exit codes of every process that the package registers.

The pages are made from the process specifications, so that they cannot differ from the code.
"""

from __future__ import annotations

import inspect
from importlib.metadata import EntryPoint, distribution

from aiida.engine import CalcJob, Process, WorkChain
from docutils import nodes
from docutils.statemachine import StringList
from plumpy.ports import Port, PortNamespace
from sphinx.util.docutils import SphinxDirective

GROUPS = ('aiida.calculations', 'aiida.workflows')


def registered_processes() -> list[tuple[EntryPoint, type[Process]]]:
    """Return the entry points of the package that are processes, and their classes, sorted by name."""
    entry_points = distribution('aiida-foundry').entry_points
    loaded = [(entry_point, entry_point.load()) for group in GROUPS for entry_point in entry_points.select(group=group)]
    return sorted(
        (pair for pair in loaded if inspect.isclass(pair[1]) and issubclass(pair[1], Process)), key=lambda p: p[0].name
    )


def describe_ports(namespace: PortNamespace, prefix: str = '', depth: int = 2) -> list[tuple[str, str, str]]:
    """Return (name, types, help) of the ports of a namespace, nested ones down to ``depth`` levels."""
    rows = []
    for name, port in sorted(namespace.items()):
        if name == 'metadata' or getattr(port, 'is_metadata', False):
            continue
        if isinstance(port, PortNamespace):
            rows.append((f'{prefix}{name}', 'namespace', port.help or ''))
            if depth > 1:
                rows.extend(describe_ports(port, f'{prefix}{name}.', depth - 1))
        else:
            rows.append((f'{prefix}{name}', describe_types(port), port.help or ''))
    return rows


def describe_types(port: Port) -> str:
    """Return the names of the types that a port accepts, and whether it may be left out."""
    types = port.valid_type if isinstance(port.valid_type, tuple) else (port.valid_type,)
    names = ', '.join(kind.__name__ for kind in types if kind is not None and kind is not type(None))
    return names if port.required else f'{names} (optional)'


def table(title: str, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """Return the lines of a Markdown table."""
    if not rows:
        return []
    clean = [[' '.join(cell.split()).replace('|', '\\|') for cell in row] for row in rows]
    lines = [f'| {" | ".join(row)} |' for row in [list(header), ['---'] * len(header), *clean]]
    return [f'**{title}**', '', *lines, '']


def describe_process(entry_point: EntryPoint, process: type[Process]) -> list[str]:
    """Return the lines of the Markdown description of a process."""
    spec = process.spec()
    aiida_codes = (CalcJob if issubclass(process, CalcJob) else WorkChain).spec().exit_codes
    codes = [(code.status, label, code.message) for label, code in spec.exit_codes.items() if label not in aiida_codes]
    return [
        f'## {entry_point.name}',
        '',
        f'`{entry_point.value.replace(":", ".")}`',
        '',
        *inspect.getdoc(process).splitlines(),
        '',
        *table('Inputs', ('name', 'type', 'meaning'), [(f'`{n}`', t, h) for n, t, h in describe_ports(spec.inputs)]),
        *table('Outputs', ('name', 'type', 'meaning'), [(f'`{n}`', t, h) for n, t, h in describe_ports(spec.outputs)]),
        *table('Exit codes', ('status', 'label', 'message'), [(str(s), f'`{n}`', m) for s, n, m in sorted(codes)]),
    ]


class ProcessReference(SphinxDirective):
    """Insert the description of every registered process."""

    def run(self) -> list[nodes.Node]:
        """Return the nodes made from the process specifications."""
        container = nodes.section()
        for entry_point, process in registered_processes():
            lines = describe_process(entry_point, process)
            self.state.nested_parse(
                StringList(lines, entry_point.value), self.content_offset, container, match_titles=True
            )
        return container.children


def setup(app) -> dict[str, bool]:
    """Register the directive with Sphinx."""
    app.add_directive('process-reference', ProcessReference)
    return {'parallel_read_safe': True}
