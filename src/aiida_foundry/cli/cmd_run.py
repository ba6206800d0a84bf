"""``aiida-foundry run``: one subcommand per workflow, named after its entry point without ``foundry.``."""

from __future__ import annotations

import click

from aiida_foundry.cli.options import function_of

RUNS = {
    'bse.ki': ('run_bse:bse_ki', 'Optical spectrum and excitons on Koopmans energies.'),
    'bse.spectrum': ('run_bse:bse_spectrum', 'Optical spectrum and excitons on given energies.'),
    'polarization.berry': ('run_polarization:polarization_berry', 'Formal polarization by Berry phases.'),
    'polarization.path': ('run_polarization:polarization_path', 'Spontaneous polarization along a path.'),
    'koopmans.ki': ('run_koopmans:koopmans_ki', 'Band gap by the Koopmans-integer functional.'),
    'interfaces.heterostructure': (
        'run_interfaces:interfaces_heterostructure',
        'Fields, band offset and free carriers of a polar heterostructure.',
    ),
    'gw.gap': ('run_gw:gw_gap', 'Quasiparticle band gap by GW.'),
}
"""Module of ``aiida_foundry.cli`` and function of each command, and what it is for."""


class LazyRuns(click.Group):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002, D102
        return sorted(RUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002, D102
        if cmd_name not in RUNS:
            return None
        command: click.Command = function_of(RUNS[cmd_name][0])  # type: ignore[assignment]
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002, D102
        with formatter.section('Commands'):
            formatter.write_dl([(name, purpose) for name, (_, purpose) in sorted(RUNS.items())])


@click.group(cls=LazyRuns)
def run() -> None:
    """Run a workflow."""
