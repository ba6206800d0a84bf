"""A disk that is full while the engine writes: each write beyond a size fails, as it does then."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import CalculationFactory

from aiida_foundry.engines.pw.options import checked_options
from aiida_foundry.structures.importers import load_structure

PwCalculation = CalculationFactory('quantumespresso.pw')


@pytest.mark.engine
@pytest.mark.parametrize('kilobytes', [2, 40])
def test_full_disk_ends_in_an_exit_code(engine_codes, pbe_family, kilobytes):
    """First standard output is cut, then files of states and the XML file cannot be written."""
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
    options = {
        'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': 1},
        'withmpi': False,
        'prepend_text': f"trap '' XFSZ\nulimit -f {kilobytes}",
    }
    _, node = run_get_node(PwCalculation, metadata={'options': checked_options(options)}, **inputs)
    assert node.is_finished
    assert node.exit_status != 0
    assert node.exit_status in {code.status for code in PwCalculation.exit_codes.values()}
