"""Silicon with ABINIT, end to end: exact identities between spectra on different energies."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node

from aiida_foundry.workflows.bse.spectrum import BseSpectrumWorkChain

pytestmark = pytest.mark.engine

SCISSOR = 0.6285
STEP = 0.004
#: k-point and band (from 0, of the window) that is moved: the lowest conduction band at the four L points.
MOVED = (1, 4)


@pytest.fixture(scope='module')
def spectrum(engine_codes, silicon, pbe_family, small):
    """Return a function that runs a spectrum on corrections, on the ground state and screening of another run."""

    def _spectrum(corrections, parent=None):
        builder = BseSpectrumWorkChain.get_builder_from_protocol(
            engine_codes['abinit'],
            silicon,
            corrections,
            protocol='fast',
            overrides={'parameters': small},
            options={'withmpi': False},
        )
        if parent is not None:
            builder.ground_state = {name: parent.outputs.ground_state[name] for name in ('wavefunctions', 'mesh_bands')}
            builder.screening = parent.outputs.screening
        process = run_get_node(builder).node
        assert process.is_finished_ok, process.exit_message
        return process

    return _spectrum


@pytest.fixture(scope='module')
def rigid(spectrum):
    """Return the spectrum on a scissor, with ground state and screening."""
    return spectrum(SCISSOR)


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


def test_corrections_depend_on_kpoint_and_band(rigid, spectrum):
    """Hellmann and Feynman: an exciton moves by the weight of the states that are moved.

    The change keeps the symmetry (all four L points), so that it holds within multiplets as well. Second order is
    STEP² over the distance of excitons, 1e-5 eV.
    """
    energies = [energies_of(spectrum(moved(rigid, sign * STEP), rigid)) for sign in (1, -1)]
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
