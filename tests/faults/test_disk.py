"""A disk that is full, or read-only, while the engine writes."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import CalculationFactory

from aiida_foundry.engines.pw.options import checked_options
from aiida_foundry.structures.importers import load_structure

PwCalculation = CalculationFactory('quantumespresso.pw')

#: The daemon that Open MPI starts beside a single process outlives it when it cannot write, and fills the memory.
NO_DAEMON = 'export OMPI_MCA_ess_singleton_isolated=1'


@pytest.mark.engine
@pytest.mark.parametrize(
    'disk',
    [
        # each write beyond a size fails, as on a full disk: first standard output is cut, then files of states and XML
        f'{NO_DAEMON}\ntrap "" XFSZ\nulimit -f 2',
        f'{NO_DAEMON}\ntrap "" XFSZ\nulimit -f 40',
        # where states and XML go nobody can write, not even root, as on a read-only disk
        'rm -r out\nln -s /sys out',
    ],
    ids=['full at 2 kB', 'full at 40 kB', 'read-only'],
)
def test_run_ends_in_an_exit_code(engine_codes, pbe_family, disk):
    structure = load_structure('Si')
    kpoints = orm.KpointsData()
    kpoints.set_kpoints_mesh([2, 2, 2])
    system = {'ecutwfc': 12.0, 'ecutrho': 48.0, 'occupations': 'fixed'}
    inputs = {
        'code': engine_codes['pw'],
        'structure': structure,
        'pseudos': pbe_family.get_pseudos(structure=structure),
        'kpoints': kpoints,
        'parameters': orm.Dict({'CONTROL': {'calculation': 'scf'}, 'SYSTEM': system}),
    }
    options = {'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': 1}, 'withmpi': False, 'prepend_text': disk}
    _, node = run_get_node(PwCalculation, metadata={'options': checked_options(options)}, **inputs)
    assert node.is_finished
    assert node.exit_status != 0
    assert node.exit_status in {code.status for code in PwCalculation.exit_codes.values()}
