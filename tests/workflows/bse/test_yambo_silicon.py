"""Silicon with Yambo, end to end: exact identities, and ABINIT at equal settings."""

from __future__ import annotations

import shutil
from functools import partial

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node

from aiida_foundry.analysis.excitons import head_difference
from aiida_foundry.common.units import BOHR_TO_ANGSTROM
from aiida_foundry.workflows.bse.ki import BseKiWorkChain

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(not shutil.which('yambo'), reason='yambo is not on PATH: Debian does not ship it'),
]

SCISSOR = 0.6285
STEP = 0.02
EXTRAPOLATED = {'extrapolation': 'scissor'}


@pytest.fixture(scope='module')
def spectrum(spectrum_of):
    """Return a function that runs a spectrum without RPA, with Yambo unless told otherwise."""
    return partial(spectrum_of, engine='yambo', rpa=False)


@pytest.fixture(scope='module')
def rigid(spectrum):
    """Return the spectrum on a scissor, with ground state and screening."""
    return spectrum(SCISSOR)


def head_shift(abinit, yambo, silicon):
    """Return by how much the heads of W move the excitons of Yambo against those of ABINIT, in eV."""
    heads = [(summary['head']['factor'], summary['head']['dielectric_constant']) for summary in (abinit, yambo)]
    return head_difference(*heads, silicon.get_cell_volume() / BOHR_TO_ANGSTROM**3, 8)


def energies_of(process):
    return process.outputs.exciton_weights.get_array('energies')


def shifted(process, shifts):
    """Return energies of the ground state of a process changed by `shifts` (k, band)."""
    bands = process.outputs.ground_state.mesh_bands
    energies = bands.get_bands()
    after = energies + shifts
    arrays = {'kpoints': bands.get_kpoints(), 'ks_energies': energies[np.newaxis], 'qp_energies': after[np.newaxis]}
    return orm.ArrayData(arrays)


def scissor_of(process):
    shape = process.outputs.ground_state.mesh_bands.get_bands().shape
    return np.broadcast_to(np.where(np.arange(shape[1]) >= 4, SCISSOR, 0.0), shape).copy()


def test_symmetry_of_silicon(rigid):
    summary = rigid.outputs.excitons.get_dict()
    assert summary['anisotropy'] < 1e-6
    assert summary['lowest']['degeneracy'] == 3
    assert summary['bands'] == [1, 8]
    assert summary['direct_gap']['quasiparticle'] - summary['direct_gap']['kohn_sham'] == pytest.approx(SCISSOR)
    assert summary['static']['independent_particle'] > summary['static']['independent_quasiparticle']


def test_corrections_depend_on_kpoint_and_band(rigid, spectrum):
    """Hellmann and Feynman: an exciton moves by the weight of the states that are moved.

    The lowest conduction band at the four L points; the remainder is second order, and Yambo's single precision.
    """
    moved = {}
    for sign in (1, -1):
        shifts = scissor_of(rigid)
        shifts[1, 4] += sign * STEP
        moved[sign] = energies_of(spectrum(shifted(rigid, shifts), rigid))[:3].mean()
    expected = rigid.outputs.exciton_weights.get_array('weights')[:3, 1, 4].mean()
    assert expected > 0.02
    assert (moved[1] - moved[-1]) / (2 * STEP) == pytest.approx(expected, abs=3e-3)


def test_a_constant_is_the_scissor(rigid, spectrum):
    """Another zero of energies, and the shift on valence and conduction bands: 1e-4 eV in single precision."""
    shifts = scissor_of(rigid) - 0.4188
    assert energies_of(spectrum(shifted(rigid, shifts), rigid)) == pytest.approx(energies_of(rigid), abs=1e-4)


def test_abinit_agrees_after_the_head(rigid, spectrum, silicon):
    """Equal settings in two codes: the lowest exciton within 1 meV once the q → 0 head of each is accounted for."""
    other = spectrum(SCISSOR, engine='abinit')
    yambo, abinit = (process.outputs.excitons.get_dict() for process in (rigid, other))
    predicted = head_shift(abinit, yambo, silicon)
    assert predicted > 1e-3
    found = yambo['lowest']['energy'] - abinit['lowest']['energy']
    assert found == pytest.approx(predicted, abs=1e-3)
    heights = [max(summary['peaks']['excitonic']['heights']) for summary in (yambo, abinit)]
    assert heights[0] == pytest.approx(heights[1], rel=0.01)


@pytest.fixture(scope='module')
def full(spectrum):
    """Return the spectrum on a scissor beyond the Tamm-Dancoff approximation."""
    return spectrum(SCISSOR, tamm_dancoff=False, rpa=True)


def test_full_agrees_with_abinit(rigid, full, spectrum, silicon):
    """Coupling of resonant and antiresonant pairs, by attraction and exchange, lowers each exciton as in ABINIT.

    1 meV: the codes' energies within the Tamm-Dancoff approximation scatter by that around the shift of the heads.
    """
    other = spectrum(SCISSOR, engine='abinit', tamm_dancoff=False, rpa=True)
    yambo, abinit = (process.outputs.excitons.get_dict() for process in (full, other))
    shift = head_shift(abinit, yambo, silicon)
    assert yambo['lowest']['energy'] - abinit['lowest']['energy'] == pytest.approx(shift, abs=1e-3)
    lowered = energies_of(full) - energies_of(rigid)
    assert lowered.min() < -0.05
    assert lowered == pytest.approx(energies_of(other) - energies_of(spectrum(SCISSOR, engine='abinit')), abs=1e-3)
    # of the lowest triplet, holes and electrons of both kinds of pairs; three digits as symmetry leaves Yambo's
    weights = [
        process.outputs.exciton_weights.get_array('weights')[:3].sum(axis=(0, 2)) / 6 for process in (full, other)
    ]
    assert weights[0].sum() == pytest.approx(1, abs=1e-5)
    assert weights[0] == pytest.approx(weights[1], abs=1e-3)
    for name in ('rpa', 'excitonic'):
        assert yambo['static'][name] == pytest.approx(abinit['static'][name], rel=2e-3)
    heights = [max(summary['peaks']['excitonic']['heights']) for summary in (yambo, abinit)]
    assert heights[0] == pytest.approx(heights[1], rel=0.01)


def test_haydock_with_coupling(full, rigid, spectrum):
    """The recursion stops at an accuracy of 1e-3, of the average over the spectrum."""
    recursion = spectrum(SCISSOR, rigid, tamm_dancoff=False, algorithm='haydock', haydock={'tolerance': 1e-3})
    found, expected = (process.outputs.spectra.get_array('excitonic') for process in (recursion, full))
    assert np.abs(found - expected).max() < 1e-2 * np.abs(expected).max()


@pytest.fixture(scope='module')
def koopmans(engine_codes, silicon, pbe_family, small):
    """Return excitons on Koopmans energies from the structure on, beside the same scissor."""
    names = {'ki': 'aiida-foundry-ki'}
    keys = ('pw', 'projwfc', 'pw2wannier90', 'wannier90', 'ki', 'p2y', 'yambo')
    builder = BseKiWorkChain.get_builder_from_protocol(
        {key: engine_codes[names.get(key, key)] for key in keys},
        silicon,
        engine='yambo',
        protocol='fast',
        pseudo_family=pbe_family.label,
        overrides={
            'kpoints_mesh': [2, 2, 2],
            'wavefunction_cutoff': small['wavefunction_cutoff'],
            'koopmans': {
                'parameters': {'dielectric_constant': 12.0},
                'wannierize': {'parameters': {'bands': 20, 'path_distance': 0.4}},
            },
            'bse': {'parameters': {**small, 'rpa': False}},
        },
        options={'withmpi': False},
    )
    process = run_get_node(builder).node
    assert process.is_finished_ok, process.exit_message
    return process


def test_koopmans_from_the_structure_on(koopmans, spectrum, silicon):
    """Yambo's gap is that of the Koopmans energies on the mesh, and ABINIT on the same energies differs by the head."""
    energies = koopmans.outputs.quasiparticles.get_array('qp_energies')[0]
    direct = np.nanmin(energies[:, 4] - energies[:, 3])
    yambo = koopmans.outputs.ki.excitons.get_dict()
    assert yambo['direct_gap']['quasiparticle'] == pytest.approx(direct, abs=1e-3)
    abinit = spectrum(
        koopmans.outputs.quasiparticles, engine='abinit', transfer=EXTRAPOLATED
    ).outputs.excitons.get_dict()
    found = yambo['lowest']['energy'] - abinit['lowest']['energy']
    assert found == pytest.approx(head_shift(abinit, yambo, silicon), abs=1e-3)
