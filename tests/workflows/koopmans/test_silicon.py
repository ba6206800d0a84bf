"""Silicon from the structure to Koopmans energies with the engines of Debian, and with kcw.x where it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node

from aiida_foundry.workflows.koopmans.ki import KoopmansKiWorkChain

pytestmark = pytest.mark.engine

#: Quick, not converged; the points of the path are few.
OVERRIDES = {
    'kpoints_mesh': [2, 2, 2],
    'parameters': {'dielectric_constant': 12.0},
    'wannierize': {'parameters': {'wavefunction_cutoff': 7.0, 'bands': 20, 'path_distance': 0.25}},
}


def codes_by_key(engine_codes):
    names = {'ki': 'aiida-foundry-ki'}
    wanted = ('pw', 'projwfc', 'pw2wannier90', 'wannier90', 'ki', 'kcw')
    return {key: engine_codes[names.get(key, key)] for key in wanted if names.get(key, key) in engine_codes}


@pytest.fixture(scope='module')
def options():
    return {'withmpi': False}


@pytest.fixture(scope='module')
def process(engine_codes, silicon, pbe_family, options):
    """Return the process that ran everything."""
    builder = KoopmansKiWorkChain.get_builder_from_protocol(
        codes_by_key(engine_codes),
        silicon,
        protocol='fast',
        overrides=OVERRIDES,
        options=options,
        pseudo_family=pbe_family.label,
    )
    node = run_get_node(builder).node
    assert node.is_finished_ok, node.exit_message
    return node


def test_functions_are_bonds_and_their_partners(process):
    """Four equal functions at the bond centres, an eighth of the lattice constant from the atoms, and four empty."""
    occupied, empty = (process.outputs.wannier[name].parameters for name in ('occupied', 'empty'))
    assert (occupied['bands'], empty['bands']) == ([1, 4], [5, 16])
    half_bond = 5.431 / 8
    centres = np.array(occupied['centres'])
    assert np.abs(centres) % (2 * half_bond) == pytest.approx(np.full((4, 3), half_bond), abs=0.01)
    for manifold in (occupied, empty):
        assert manifold['spread_difference'] < 1e-3
        assert np.ptp(manifold['spreads']) < 1e-3
    assert occupied['functions_without_image'] == []
    assert occupied['eta_mev'] < 1e-3
    assert empty['eta_mev'] < 20


def test_correction_of_silicon_is_rigid(process):
    """All functions of a manifold are equivalent, so that on-site corrections shift filled and empty bands rigidly."""
    energies = process.outputs.quasiparticles
    shift = (energies.get_array('qp_energies') - energies.get_array('ks_energies'))[0]
    assert np.ptp(shift[:, :4]) < 1e-3
    assert np.nanmax(shift[:, 4:]) - np.nanmin(shift[:, 4:]) < 1e-3
    gaps = process.outputs.gaps
    scissor = shift[0, 4] - shift[0, 3]
    assert gaps['quasiparticle']['direct'] - gaps['kohn_sham']['direct'] == pytest.approx(scissor, abs=1e-3)
    assert scissor > 0.3
    assert gaps['extremum_on_mesh'] is False


def test_overlaps_have_a_scratch_of_their_own(process):
    """pw2wannier90 removes its scratch file, which must not be that of another block of bands."""
    runs = [node for node in process.called_descendants if node.process_label == 'Pw2wannier90Calculation']
    folders = [Path(run.outputs.remote_folder.get_remote_path()) / 'out' for run in runs]
    assert len(folders) >= 2
    for folder in folders:
        assert not folder.is_symlink()
        assert (folder / 'aiida.save').is_symlink()


def test_screening(process):
    screening = process.outputs.screening
    alpha = screening.get_array('alpha')
    assert ((alpha > 0) & (alpha <= 1)).all()
    assert screening.get_array('screened') / screening.get_array('bare') == pytest.approx(alpha)


def test_functions_are_handed_on(process, engine_codes, silicon, pbe_family, options):
    """Other settings of the screening do not need other functions."""
    overrides = {**OVERRIDES, 'parameters': {'dielectric_constant': 10.0}}
    builder = KoopmansKiWorkChain.get_builder_from_protocol(
        codes_by_key(engine_codes),
        silicon,
        protocol='fast',
        overrides=overrides,
        options=options,
        pseudo_family=pbe_family.label,
    )
    del builder.wannierize
    builder.wannier = process.outputs.wannier
    node = run_get_node(builder).node
    assert node.is_finished_ok, node.exit_message
    calculations = [called for called in node.called_descendants if isinstance(called, orm.CalcJobNode)]
    assert [called.process_label for called in calculations] == ['KiCalculation']
    # less screening of the long-range part leaves more of the bare integral
    assert (node.outputs.screening.get_array('alpha') > process.outputs.screening.get_array('alpha')).all()


@pytest.mark.skipif(shutil.which('kcw.x') is None, reason='kcw.x is not on PATH: Quantum ESPRESSO 7.1 or later')
def test_kcw(process, engine_codes, silicon, pbe_family, options):
    """Linear response against the sum over 20 bands with a closure; with 50 bands α of silicon differs by 2e-5."""
    builder = KoopmansKiWorkChain.get_builder_from_protocol(
        codes_by_key(engine_codes),
        silicon,
        engine='kcw',
        protocol='fast',
        overrides=OVERRIDES,
        options=options,
        pseudo_family=pbe_family.label,
    )
    node = run_get_node(builder).node
    assert node.is_finished_ok, node.exit_message
    native, response = process.outputs.screening, node.outputs.screening
    for name, tolerance in (('bare', 1e-3), ('self_hartree', 1e-3), ('alpha', 2e-3)):
        assert response.get_array(name) == pytest.approx(native.get_array(name), abs=tolerance), name


def test_record(process):
    """A query finds the gap with the version of pw.x that made the states."""
    from aiida_foundry.datasets.queries import Query

    record = {row.uuid: row for row in Query('koopmans_gaps')}[process.uuid]
    assert record.indirect == process.outputs.gaps['quasiparticle']['indirect']
    assert record.mesh == (2, 2, 2)
    assert record.eta_empty == process.outputs.wannier.empty.parameters['eta_mev']
    assert 'pw.x' in record.engines
