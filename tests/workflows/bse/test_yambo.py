"""Builder and variables of the Yambo adapter, and what it refuses; its runs are in `test_yambo_silicon.py`."""

from __future__ import annotations

import pytest

from aiida_foundry.common.errors import InputError
from aiida_foundry.workflows.bse import yambo_variables as variables
from aiida_foundry.workflows.bse.spectrum import BseSpectrumWorkChain
from aiida_foundry.workflows.bse.yambo import YamboBseSpectrumWorkChain, validate_inputs


@pytest.fixture
def yambo_builder(code_that_never_runs, silicon, pbe_family):
    """Return a function that makes the builder of a spectrum of silicon with Yambo."""

    def build(corrections=0.8, **parameters):
        codes = dict.fromkeys(('pw', 'p2y', 'yambo'), code_that_never_runs)
        return BseSpectrumWorkChain.get_builder_from_protocol(
            codes, silicon, corrections, engine='yambo', protocol='fast', overrides={'parameters': parameters}
        )

    return build


def test_builder(yambo_builder):
    builder = yambo_builder()
    assert builder.process_class is YamboBseSpectrumWorkChain
    assert set(builder.codes) == {'pw', 'p2y', 'yambo'}
    assert builder.scissor.value == 0.8


def test_one_code_is_not_enough(code_that_never_runs, silicon, pbe_family):
    with pytest.raises(InputError, match='Yambo needs three'):
        BseSpectrumWorkChain.get_builder_from_protocol(code_that_never_runs, silicon, 0.0, engine='yambo')


@pytest.mark.parametrize(('kind', 'mode'), [('bse', 'coupling'), ('rpa', 'coupling'), ('ip', 'retarded')])
def test_coupling(yambo_builder, silicon, kind, mode):
    """Independent particles have no kernel that couples."""
    builder = yambo_builder(tamm_dancoff=False)
    assert validate_inputs(builder._inputs(prune=True), None) is None
    settings = variables.kernel(kind, builder.parameters.get_dict(), silicon.cell, (1, 8), [1, 0, 0])
    assert settings['variables']['BSEmod'] == mode
    assert settings['variables'].get('WehCpl', False) == (kind == 'bse')


def test_setup(yambo_builder, process_of):
    """A cubic crystal needs the field along one direction."""
    process = process_of(yambo_builder())
    process.setup()
    assert process.should_run_ground_state()
    assert len(process.ctx.fields) == 1
    assert process.ctx.occupied == 4


@pytest.mark.parametrize(
    ('kind', 'algorithm', 'present', 'absent'),
    [
        ('bse', 'diagonalisation', ['BSENGBlk', 'NGsBlkXp', 'WRbsWF'], ['BSHayTrs']),
        ('rpa', 'diagonalisation', ['BSENGexx'], ['BSENGBlk', 'NGsBlkXp', 'WRbsWF']),
        ('ip', 'haydock', ['BSHayItrMAX'], ['BSENGexx', 'BSENGBlk', 'WRbsWF']),
    ],
)
def test_variables(yambo_builder, silicon, kind, algorithm, present, absent):
    parameters = yambo_builder(algorithm=algorithm, screening_cutoff=3.0).parameters.get_dict()
    made = variables.kernel(kind, parameters, silicon.cell, (1, 8), [1.0, 0.0, 0.0])
    assert set(present) <= set(made['variables'])
    assert not set(absent) & set(made['variables'])
    assert made['variables']['BSKmod'] == variables.KERNELS[kind]
    if kind != 'ip':
        assert made['variables']['BSENGexx'] == {'value': 65, 'unit': 'RL'}
