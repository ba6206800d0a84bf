"""The command line `aiida-foundry`.

Commands are imported when they are called: `aiida-foundry --help` does not load aiida.
"""

from __future__ import annotations

import importlib

import click

from aiida_foundry import __version__
from aiida_foundry.common.errors import InputError

COMMANDS = {
    'archive': 'Check and import AiiDA archives from others.',
    'campaign': 'Run a workflow over many structures.',
    'doctor': 'Report which engines are available and what each enables.',
    'export': 'Write results to a file.',
    'interfaces': 'Screen many crystals for polar interfaces.',
    'plot': 'Draw the result of a process.',
    'provenance': 'Draw and tell where a result comes from.',
    'query': 'Find results.',
    'run': 'Run a workflow.',
    'setup': 'Set up profile, computer, codes and pseudopotentials.',
    'show': 'Print the result of a process.',
}


class LazyGroup(click.Group):
    """A group whose command ``name`` is the function ``name`` of the module ``cli.cmd_name``."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002, D102
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002, D102
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f'{__name__}.cmd_{cmd_name}')
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002, D102
        with formatter.section('Commands'):
            formatter.write_dl(sorted(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; turn refused input into a message and exit status 2."""
        try:
            return super().invoke(ctx)
        except InputError as exception:
            error = click.ClickException(str(exception))
            error.exit_code = 2
            raise error from exception


@click.group(cls=LazyGroup, context_settings={'help_option_names': ['-h', '--help']})
@click.version_option(__version__, prog_name='aiida-foundry')
def cli() -> None:
    """From crystal structures to high-fidelity materials data with full provenance."""
