"""Silicon with ABINIT, end to end: exact identities between spectra on different energies."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node

pytestmark = pytest.mark.engine

SCISSOR = 0.6285
STEP = 0.004
#: k-point and band (from 0, of the window) that is moved: the lowest conduction band at the four L points.
MOVED = (1, 4)


@pytest.fixture(scope='module')
def rigid(spectrum_of):
    """Return the spectrum on a scissor, with ground state and screening."""
    return spectrum_of(SCISSOR)


def energies_of(process):
    return process.outputs.exciton_weights.get_array('energies')


def moved(process, change):
    """Return the energies of a process with the states `MOVED` changed by so many eV."""
    bands = process.outputs.ground_state.mesh_bands
    before, after = bands.get_bands(), bands.get_bands() + np.where(np.arange(20 + 4) > 3, SCISSOR, 0.0)
    after[MOVED] += change
    arrays = {'kpoints': bands.get_kpoints(), 'ks_energies': before[np.newaxis], 'qp_energies': after[np.newaxis]}
    return orm.ArrayData(arrays)


def test_symmetry_of_silicon(rigid):
    """A cubic crystal has one dielectric constant, and a lowest exciton at Γ with three partners."""
    summary = rigid.outputs.excitons.get_dict()
    assert summary['anisotropy'] < 1e-3
    assert summary['lowest']['spread'] < 1e-3
    assert summary['bands'] == [1, 8]
    assert summary['head']['factor'] == pytest.approx(7.6087)
    assert summary['direct_gap']['quasiparticle'] - summary['direct_gap']['kohn_sham'] == pytest.approx(SCISSOR)
    assert summary['lowest']['binding_energy'] > 0


def test_corrections_depend_on_kpoint_and_band(rigid, spectrum_of):
    """Hellmann and Feynman: an exciton moves by the weight of the states that are moved.

    The change keeps the symmetry (all four L points), so that it holds within multiplets as well. Second order is
    STEP² over the distance of excitons, 1e-5 eV.
    """
    energies = [energies_of(spectrum_of(moved(rigid, sign * STEP), rigid)) for sign in (1, -1)]
    weights = rigid.outputs.exciton_weights
    assert weights.get_array('kpoints')[MOVED[0]] == pytest.approx([0.5, 0, 0])
    expected = weights.get_array('weights')[:8][:, MOVED[0], MOVED[1]]
    assert expected.max() > 0.1
    assert (energies[0] - energies[1])[:8] / (2 * STEP) == pytest.approx(expected, abs=2e-3)


def test_the_constant_shift_is_the_scissor_of_abinit(rigid, engine_codes):
    """The same run with ABINIT's own scissor instead of injected corrections: equal excitons to 2e-5 eV."""
    from aiida_foundry.engines.abinit.calculation import AbinitCalculation

    injected = next(node for node in rigid.called_descendants if node.label == 'bse').called[-1]
    parameters = {**injected.inputs.parameters.get_dict(), 'bs_calctype': 1, 'mbpt_sciss': f'{SCISSOR} eV'}
    process = run_get_node(
        AbinitCalculation,
        code=engine_codes['abinit'],
        structure=injected.inputs.structure,
        kpoints=injected.inputs.kpoints,
        pseudos=dict(injected.inputs.pseudos),
        parameters=orm.Dict(parameters),
        parents=dict(injected.inputs.parents),
        metadata={'options': {'withmpi': False}},
    ).node
    assert process.is_finished_ok
    found = process.outputs.output_excitons.get_array('energies')
    assert np.abs(found - energies_of(rigid)).max() < 2e-5


def corrections_of_every_state(bands):
    """Return quasiparticles whose corrections differ between all k-points and multiplets, in the first 8 bands."""
    energies = bands.get_bands()
    shifts = np.full_like(energies, np.nan)
    number = 0
    for k, row in enumerate(energies):
        for band in range(8):
            number += band == 0 or row[band] - row[band - 1] > 1e-3
            shifts[k, band] = 0.03 * number - (0.5 if band < 4 else 0.0)
    arrays = {'ks_energies': energies[np.newaxis], 'qp_energies': (energies + shifts)[np.newaxis]}
    return orm.ArrayData({'kpoints': bands.get_kpoints(), **arrays}), shifts[:, :8]


def test_all_transitions_have_their_corrections(rigid, engine_codes):
    """Without interaction the excitons are the corrected transitions, each as often as its k-point has images.

    The corrections are read back from the file that ABINIT gets, and found in all 128 energies that it returns.
    """
    from aiida_foundry.analysis import quasiparticles as qp
    from aiida_foundry.analysis.quasiparticles.symmetry import equivalent_points
    from aiida_foundry.engines.abinit import quasiparticle_file
    from aiida_foundry.engines.abinit.calculation import AbinitCalculation
    from aiida_foundry.structures.checks import cell_of
    from aiida_foundry.workflows.bse import calcfunctions
    from aiida_foundry.workflows.bse.abinit import ZEROED_MEMORY

    injected = next(node for node in rigid.called_descendants if node.label == 'bse').called[-1]
    bands, structure = rigid.outputs.ground_state.mesh_bands, injected.inputs.structure
    source, shifts = corrections_of_every_state(bands)
    assert len(np.unique(shifts)) > 12
    window = orm.Dict({'first': 1, 'last': 8, 'occupied': 4})
    settings = orm.Dict({'tolerance': 0.02, 'extrapolation': 'refuse'})
    version = orm.Int(qp.VERSION)
    moved = calcfunctions.transfer_corrections(source, bands, structure, window, settings, version)
    file = calcfunctions.abinit_file(moved['corrections'], bands, window, orm.Int(quasiparticle_file.VERSION))
    rows = [line.split() for line in file.get_content().splitlines()]
    written = [float(row[2]) for row in rows if len(row) == 4]
    np.testing.assert_allclose(written, shifts.ravel(), atol=1e-9)

    process = run_get_node(
        AbinitCalculation,
        code=engine_codes['abinit'],
        structure=structure,
        kpoints=injected.inputs.kpoints,
        pseudos=dict(injected.inputs.pseudos),
        parameters=orm.Dict({**injected.inputs.parameters.get_dict(), 'bs_coulomb_term': 0, 'bs_exchange_term': 0}),
        parents=dict(injected.inputs.parents),
        quasiparticle_file=file,
        metadata={'options': {'withmpi': False, 'environment_variables': ZEROED_MEMORY}},
    ).node
    assert process.is_finished_ok, process.exit_message
    energies = bands.get_bands()[:, :8] + shifts
    transitions = energies[:, np.newaxis, 4:] - energies[:, :4, np.newaxis]
    mesh = np.stack(np.indices((2, 2, 2)), axis=-1).reshape(-1, 3) / 2
    operations = qp.reciprocal_operations(cell_of(structure))
    images = [len(equivalent_points(point, mesh, operations)) for point in bands.get_kpoints()]
    expected = np.sort(np.concatenate([np.repeat(part, n) for part, n in zip(transitions, images, strict=True)], None))
    found = np.sort(process.outputs.output_excitons.get_array('energies'))
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_haydock_gives_the_spectrum_of_the_diagonalisation(rigid, spectrum_of):
    """The recursion against the sum over all excitons, at every frequency, to 1 % of the peak."""
    recursion = spectrum_of(SCISSOR, rigid, algorithm='haydock', haydock={'tolerance': 1e-3})
    curves = [process.outputs.spectra.get_array('excitonic') for process in (recursion, rigid)]
    assert curves[0].shape == curves[1].shape
    assert np.abs(curves[0] - curves[1]).max() < 0.01 * np.abs(curves[1]).max()
    assert 'exciton_weights' not in recursion.outputs


def test_ground_state_of_other_parameters_is_refused(rigid):
    with pytest.raises(ValueError, match='it does not belong to the other inputs: wavefunction cutoff'):
        builder_with_other_cutoff(rigid)


def builder_with_other_cutoff(process):
    from aiida_foundry.workflows.bse.abinit import AbinitBseSpectrumWorkChain

    inputs = process.get_builder_restart()._inputs(prune=True)
    parameters = {**inputs['parameters'].get_dict(), 'wavefunction_cutoff': 6.0}
    states = {name: process.outputs.ground_state[name] for name in ('wavefunctions', 'mesh_bands')}
    AbinitBseSpectrumWorkChain({**inputs, 'parameters': orm.Dict(parameters), 'ground_state': states})


def test_table_and_figure(rigid, tmp_path):
    """What the command line makes of it: numbers of the summary, curves, circles at the lowest bright exciton."""
    from rich.console import Console

    from aiida_foundry.cli.bse import plot_bse, print_bse
    from aiida_foundry.cli.figures import save_figure

    console = Console(record=True, width=150)
    print_bse(console, rigid)
    summary = rigid.outputs.excitons.get_dict()
    text = console.export_text()
    assert f'{summary["lowest"]["energy"]:.3f}' in text
    assert f'{summary["direct_gap"]["quasiparticle"]:.3f}' in text
    figure = plot_bse([rigid])
    spectra, corrections = figure.axes
    labels = spectra.get_legend_handles_labels()[1]
    assert labels == ['BSE', 'RPA', 'independent', 'measured peaks']
    assert spectra.lines[0].get_ydata().max() == pytest.approx(max(summary['peaks']['excitonic']['heights']), rel=0.02)
    circles = corrections.collections[0].get_sizes()
    # the bands of the window hold one hole and one electron
    assert circles.sum() / 400 == pytest.approx(2, abs=1e-6)
    save_figure(figure, tmp_path / 'spectra.png')
    assert (tmp_path / 'spectra.png').stat().st_size > 10000


def test_record(rigid):
    """A query finds the lowest exciton with its unit."""
    from aiida_foundry.datasets.queries import Query

    found = {record.uuid: record for record in Query('excitons', formula='Si')}[rigid.uuid]
    summary = rigid.outputs.excitons.get_dict()
    assert found.lowest == pytest.approx(summary['lowest']['energy'])
    assert found.scissor == SCISSOR
    assert found.mesh == (2, 2, 2)
    assert 'abinit 9' in found.engines
