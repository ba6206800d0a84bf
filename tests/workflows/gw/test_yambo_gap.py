"""Builder of the Yambo adapter of the gap, and what it refuses."""

from __future__ import annotations

import shutil

import pytest
from aiida.engine import run_get_node

from aiida_foundry.workflows.gw.gap import GwGapWorkChain
from aiida_foundry.workflows.gw.yambo import YamboGwGapWorkChain, validate_inputs

needs_yambo = pytest.mark.skipif(not shutil.which('yambo'), reason='yambo is not on PATH: Debian does not ship it')


@pytest.fixture
def yambo_builder(abinit_code, silicon, pbe_family):
    """Return a function that makes the builder of a method for silicon with Yambo."""

    def build(method='g0w0-ppm', **parameters):
        codes = dict.fromkeys(('pw', 'p2y', 'yambo'), abinit_code)
        return GwGapWorkChain.get_builder_from_protocol(
            codes, silicon, method, engine='yambo', protocol='fast', overrides={'parameters': parameters}
        )

    return build


def test_builder(yambo_builder, process_of):
    builder = yambo_builder()
    assert builder.parameters['plasmon_pole'] == 1.0
    assert yambo_builder(plasmon_pole=0.7).parameters['plasmon_pole'] == 0.7
    assert builder.process_class is YamboGwGapWorkChain
    process = process_of(builder)
    process.setup()
    assert process.should_run_ground_state()
    assert process.should_run_screening()


@pytest.mark.parametrize('method', ['g0w0-ff', 'qsgw'])
def test_methods_that_are_refused(yambo_builder, method):
    inputs = yambo_builder(method)._inputs(prune=True)
    assert 'with Yambo only `g0w0-ppm` (plasmon poles) is run' in validate_inputs(inputs, None)


@pytest.mark.engine
@needs_yambo
def test_silicon(engine_codes, silicon, pbe_family, small):
    """Godby-Needs plasmon poles in two codes, on the same pseudopotentials, bands and plane waves.

    Poles are fitted at the same frequency. With LDA, 60 bands and 65 plane waves at the plasma frequency, 0.61 hartree,
    the direct gaps are 3.063 (Yambo) and 3.058 eV; at 1 hartree, which Yambo takes by itself, it has 3.082 eV.
    """
    gaps = {}
    for engine in ('yambo', 'abinit'):
        builder = GwGapWorkChain.get_builder_from_protocol(
            engine_codes if engine == 'yambo' else engine_codes[engine],
            silicon,
            engine=engine,
            protocol='fast',
            overrides={'parameters': {**small, 'plasmon_pole': 0.8}},
            options={'withmpi': False},
        )
        process = run_get_node(builder).node
        assert process.is_finished_ok, process.exit_message
        gaps[engine] = process.outputs.gaps.get_dict()
    for kind, tolerance in (('kohn_sham', 1e-3), ('quasiparticle', 0.01)):
        assert gaps['yambo'][kind]['direct'] == pytest.approx(gaps['abinit'][kind]['direct'], abs=tolerance)
