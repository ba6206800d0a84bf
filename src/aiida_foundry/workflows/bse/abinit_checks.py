"""Checks of what is handed on to a Bethe-Salpeter calculation with ABINIT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_foundry.common.errors import InputError, message_of
from aiida_foundry.engines.abinit import psp8
from aiida_foundry.workflows.bse import abinit_variables as variables
from aiida_foundry.workflows.bse.parameters import HAYDOCK
from aiida_foundry.workflows.bse.provenance import same_structure
from aiida_foundry.workflows.bse.spectrum import check_corrections

#: Variables of the screening that decide what it is; the rest is how it was computed.
SCREENING_VARIABLES = ('ecut', 'ecuteps', 'ixc', 'nband', 'inclvkb', 'nsym', 'gwgamma')


def validate_inputs(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Check that the corrections, and what is handed on, belong to the other inputs."""
    checks = [check_corrections, check_algorithm]
    if 'screening' in inputs and 'ground_state' not in inputs:
        return 'screening: it was made with a ground state that is not given. Hand on `ground_state` as well'
    checks += [check_ground_state] if 'ground_state' in inputs else []
    checks += [check_screening] if 'screening' in inputs else []
    return next(filter(None, (message_of(check, inputs) for check in checks)), None)


def check_algorithm(inputs: Mapping[str, Any]) -> None:
    """Refuse what ABINIT 9.6 cannot do.

    Raises:
        InputError: Haydock's recursion beyond the Tamm-Dancoff approximation.
    """
    parameters = inputs['parameters'].get_dict()
    if parameters['algorithm'] == HAYDOCK and not parameters['tamm_dancoff']:
        raise InputError(
            'parameter `algorithm`',
            'the Haydock recursion of ABINIT fails with coupling of resonant and antiresonant pairs',
            'Set `tamm_dancoff: true` or `algorithm: diagonalisation`, or choose the engine `yambo`',
        )


def check_ground_state(inputs: Mapping[str, Any]) -> None:
    """Refuse a ground state of another structure, mesh, pseudopotential or of other parameters.

    Raises:
        InputError: names what differs.
    """
    run = inputs['ground_state']['mesh_bands'].creator
    wanted = variables.mesh_bands(inputs['parameters'].get_dict())
    done = run.inputs.parameters.get_dict()
    differences = {
        'structure': not same_structure(run.inputs.structure, inputs['structure']),
        'mesh': run.inputs.kpoints.get_kpoints_mesh()[0] != inputs['kpoints'].get_kpoints_mesh()[0],
        'wavefunction cutoff': done['ecut'] != wanted['ecut'],
        'functional': done['ixc'] != wanted['ixc'],
        'symmetry': done.get('nsym') != wanted.get('nsym'),
        'number of bands': done['nband'] - done['nbdbuf'] < wanted['nband'] - wanted['nbdbuf'],
        'folder': run.outputs.remote_folder.uuid != inputs['ground_state']['wavefunctions'].uuid,
        'pseudopotentials': {kind: pseudo.get_content() for kind, pseudo in run.inputs.pseudos.items()}
        != {kind: psp8.upf_to_psp8(upf.get_content()) for kind, upf in inputs['pseudos'].items()},
    }
    _refuse('ground_state', [name for name, differs in differences.items() if differs])


def check_screening(inputs: Mapping[str, Any]) -> None:
    """Refuse a screening of other parameters or of another ground state.

    Raises:
        InputError: names what differs.
    """
    run = inputs['screening'].creator
    wanted, done = variables.screening(inputs['parameters'].get_dict()), run.inputs.parameters.get_dict()
    differences = [name for name in SCREENING_VARIABLES if wanted.get(name) != done.get(name)]
    if done.get('optdriver') != wanted['optdriver']:
        differences.append('kind of calculation')
    if run.inputs.parents.wavefunctions.uuid != inputs['ground_state']['wavefunctions'].uuid:
        differences.append('ground state')
    _refuse('screening', differences)


def _refuse(subject: str, differences: list[str]) -> None:
    if differences:
        raise InputError(
            subject,
            f'it does not belong to the other inputs: {", ".join(differences)} differ',
            'Leave it out, so that it is computed',
        )
