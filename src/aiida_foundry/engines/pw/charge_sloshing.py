"""pw.x for long cells whose charge sloshes to and fro between iterations."""

from __future__ import annotations

import re
from typing import Any

from aiida.engine import ProcessHandlerReport, ProcessSpec, process_handler
from aiida.orm import CalcJobNode
from aiida.plugins import CalculationFactory
from aiida_quantumespresso.common.types import RestartType
from aiida_quantumespresso.workflows.pw.base import PwBaseWorkChain

PwCalculation = CalculationFactory('quantumespresso.pw')

_ACCURACY = re.compile(r'estimated scf accuracy\s*<\s*([\d.Ee+-]+) Ry')

REMEDIES: tuple[dict[str, Any], ...] = (
    {'mixing_mode': 'local-TF', 'mixing_beta': 0.2},
    {'mixing_mode': 'local-TF', 'mixing_beta': 0.1, 'mixing_ndim': 12},
    {'mixing_mode': 'local-TF', 'mixing_beta': 0.05, 'mixing_ndim': 16},
)
"""What is tried in turn. Local-TF screens each region as its own density asks (Raczkowski, Canning and Wang, Phys. Rev.
B 64, 121101 (2001)), made for cells of insulating, metallic and empty parts; a smaller beta damps what is left."""

MORE_BANDS = 1.2
"""Factor on the number of bands at each remedy: states that enter and leave the smearing keep the charge moving."""

DIVERGED = 1.0
"""A last scf accuracy beyond this multiple of the first one: the density is worse than one from atoms."""


def scf_accuracies(stdout: str) -> list[float]:
    """Return the estimated scf accuracy of each iteration, Ry."""
    return [float(value) for value in _ACCURACY.findall(stdout)]


class PwSloshingBaseWorkChain(PwBaseWorkChain):
    """`PwBaseWorkChain` that treats charge sloshing by screening before it falls back to mixing ever less."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Add the exit code."""
        super().define(spec)
        spec.exit_code(
            311,
            'ERROR_CHARGE_SLOSHING',
            message='Self-consistency is not reached with {remedies} remedies against charge sloshing. Shorten the '
            'cell, start from the density of a similar one, or raise the smearing.',
        )

    @process_handler(priority=415, exit_codes=[PwCalculation.exit_codes.ERROR_ELECTRONIC_CONVERGENCE_NOT_REACHED])
    def handle_charge_sloshing(self, calculation: CalcJobNode) -> ProcessHandlerReport:
        """Treat an scf that does not converge.

        Cause: in a long cell the Hartree kernel 4π/q² at small q turns a small change of the density into a large one
        of the potential. Remedy: the next of `REMEDIES` and more bands, from the last density, or from atoms where the
        accuracy had grown again. It gives up when no remedy is left.
        """
        self.ctx.sloshing = self.ctx.get('sloshing', 0)
        if self.ctx.sloshing == len(REMEDIES):
            return ProcessHandlerReport(True, self.exit_codes.ERROR_CHARGE_SLOSHING.format(remedies=len(REMEDIES)))
        remedy = REMEDIES[self.ctx.sloshing]
        self.ctx.sloshing += 1
        electrons, system = (self.ctx.inputs.parameters.setdefault(name, {}) for name in ('ELECTRONS', 'SYSTEM'))
        beta = min(remedy['mixing_beta'], electrons.get('mixing_beta', self.defaults.qe.mixing_beta))
        electrons.update({**remedy, 'mixing_beta': beta})
        bands = calculation.outputs.output_parameters.get_dict().get('number_of_bands')
        if bands is not None and system.get('occupations') != 'fixed':
            system['nbnd'] = int(bands * MORE_BANDS)
        accuracies = scf_accuracies(calculation.outputs.retrieved.base.repository.get_object_content('aiida.out'))
        if accuracies and accuracies[-1] <= DIVERGED * accuracies[0]:
            self.set_restart_type(RestartType.FROM_CHARGE_DENSITY, calculation.outputs.remote_folder)
        else:
            self.set_restart_type(RestartType.FROM_SCRATCH)
        self.report_error_handled(calculation, f'set {remedy} and {system.get("nbnd", "the same number of")} bands')
        return ProcessHandlerReport(True)
