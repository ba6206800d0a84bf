"""The engine of GW and of the Bethe-Salpeter equation, and its codes; the commands of both name it in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from aiida.orm import AbstractCode

#: Plugin of each code of an engine, by its usual label; the first is the one that the plan shows.
ENGINES = {
    'abinit': {'abinit': 'foundry.abinit'},
    'yambo': {'yambo': 'foundry.yambo', 'p2y': 'foundry.p2y', 'pw': 'quantumespresso.pw'},
}

ENGINE = click.option('--engine', type=click.Choice(list(ENGINES)), default='abinit', show_default=True)
CODE = click.option(
    '--code',
    'code_label',
    metavar='LABEL',
    help='Code of the engine; p2y and pw, where it needs them, are those of its computer. [default: ENGINE@localhost]',
)


def load_engine(engine: str, label: str | None) -> tuple[AbstractCode, AbstractCode | dict[str, AbstractCode]]:
    """Return the code of an engine, and what its workflows take: the code, or all codes by name if there are several.

    Raises:
        InputError: if one is missing or is of another engine.
    """
    from aiida_foundry.cli.launch import load_code

    plugins = ENGINES[engine]
    code = load_code(label or f'{engine}@localhost', plugins[engine])
    if len(plugins) == 1:
        return code, code
    others = {name: plugin for name, plugin in plugins.items() if name != engine}
    computer = code.computer.label
    return code, {engine: code, **{name: load_code(f'{name}@{computer}', plugin) for name, plugin in others.items()}}
