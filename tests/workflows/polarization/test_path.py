"""Paths: what is refused before anything runs, which images run, how they end."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm

from aiida_foundry.common.errors import InputError
from aiida_foundry.workflows.polarization.path import PolarizationPathWorkChain

CODES = PolarizationPathWorkChain.exit_codes


@pytest.fixture
def image(finished):
    """Return a function that makes a finished image with a phase along the third vector."""

    def make(phase=0.0, exit_status=0, message=None, others=None):
        record = {'phases': [others, others, phase], 'modulus': 1, 'gap': {'direct': 4.0, 'indirect': 3.5}}
        outputs = {'polarization': orm.Dict(record), 'cost': orm.Dict({'core_seconds': 10.0})}
        return finished(outputs if not exit_status else {}, exit_status, message)

    return make


@pytest.fixture
def process(path_builder, process_of):
    """Return a process that knows its path."""
    made = process_of(path_builder())
    made.setup()
    made.make_reference()
    made.start()
    return made


@pytest.mark.parametrize('protocol', ['fast', 'balanced', 'stringent'])
def test_images_have_the_protocol_of_the_path(path_builder, berry_builder, aluminium_nitride, protocol):
    path, berry = path_builder(protocol=protocol), berry_builder(aluminium_nitride, protocol=protocol)
    assert path.parameters.get_dict() == berry.parameters.get_dict()
    assert path.kpoints.get_kpoints_mesh() == berry.kpoints.get_kpoints_mesh()
    assert path.maximum_images.value == 33


def test_overrides_reach_the_images(path_builder):
    builder = path_builder(overrides={'maximum_images': 9, 'berry': {'kpoints_mesh': [2, 2, 2]}})
    assert builder.maximum_images.value == 9
    assert builder.kpoints.get_kpoints_mesh()[0] == [2, 2, 2]


def test_reference_is_the_flat_structure_and_only_the_polar_axis_is_computed(process):
    positions = np.array([site.position for site in process.ctx.reference.sites])
    heights = positions[:, 2] / process.ctx.reference.cell[2][2]
    assert heights[0] % 0.5 == pytest.approx(heights[2] % 0.5, abs=1e-9)
    assert process.ctx.directions == [3]
    assert process.ctx.charges == [3, 3, -3, -3]
    assert process.ctx.places == [0.0, 0.5, 1.0]


def end(process, image, **phases):
    process.ctx.places = [float(label.removeprefix('image_').replace('_', '.')) for label in phases]
    for label, phase in phases.items():
        process.ctx[label] = image(phase)
    return process.inspect_images()


def test_branch_is_followed(process, image):
    """Phases of AlN with PBE, one of them on another branch."""
    assert end(process, image, image_0_0000=0.0, image_0_5000=0.36, image_1_0000=-0.30) is None
    assert not process.should_run_images()
    assert process.results() is None
    record = process.outputs['polarization'].get_dict()
    assert record['change'] == pytest.approx([0, 0, 0.70])
    assert record['gaps'] == [3.5] * 3
    # 0.70 e along c over the area of the hexagonal cell
    assert record['magnitude'] == pytest.approx(0.70 * 16.0217663 / (3**0.5 / 2 * 3.110**2))
    assert process.outputs['cost']['core_seconds'] == 30.0


def test_cubic_reference_knows_more_phases_than_the_path_needs(process, image):
    """As in PbTiO3 from the cubic cell: one phase computed there is that of all three vectors."""
    process.ctx.image_0_0000 = image(others=0.0)
    for label, phase in {'image_0_5000': 0.36, 'image_1_0000': -0.30}.items():
        process.ctx[label] = image(phase)
    assert process.inspect_images() is None
    assert process.ctx.places == []
    assert process.results() is None
    assert process.outputs['polarization']['change'] == pytest.approx([0, 0, 0.70])


def test_images_are_added_where_the_branch_is_open(process, image):
    assert end(process, image, image_0_0000=0.0, image_0_5000=0.36, image_1_0000=0.40) is None
    assert process.ctx.places == [0.75]
    assert process.should_run_images()
    assert end(process, image, image_0_7500=0.53) is None
    assert process.ctx.places == [0.875]


def test_limit_of_images(process, image, path_builder, process_of):
    made = process_of(path_builder(overrides={'maximum_images': 3}))
    made.setup()
    made.make_reference()
    made.start()
    end(made, image, image_0_0000=0.0, image_0_5000=0.36, image_1_0000=0.40)
    assert not made.should_run_images()
    code = made.results()
    assert code.status == CODES.ERROR_BRANCH_NOT_FOLLOWED.status
    assert 'after 3 images' in code.message
    assert '0.75 of the path' in code.message


def test_metallic_image_is_named(process, image):
    process.ctx.image_0_5000 = image(exit_status=501, message='the bands overlap')
    process.ctx.places = [0.5]
    code = process.inspect_images()
    assert code.status == CODES.ERROR_METALLIC_IMAGE.status
    assert 'image at 0.5 of the path is a metal' in code.message
    assert 'the bands overlap' in code.message


def test_failed_image_is_named(process, image):
    process.ctx.image_0_5000 = image(exit_status=402)
    process.ctx.places = [0.5]
    assert process.inspect_images().status == CODES.ERROR_SUB_PROCESS_FAILED_IMAGE.status


def zincblende(structure_of) -> orm.StructureData:
    """Return six layers of zincblende AlN in the hexagonal cell of six layers of wurtzite."""
    a = 3.110
    cell = np.array([[a, 0, 0], [-a / 2, 3**0.5 / 2 * a, 0], [0, 0, 6 * (2 / 3) ** 0.5 * a]])
    places = [(1 / 3, 2 / 3), (2 / 3, 1 / 3), (0, 0)]
    sites = [('Al', (*places[i % 3], i / 6)) for i in range(6)]
    return structure_of(cell, [*sites, *(('N', (*places[i % 3], i / 6 + 0.75 / 6)) for i in range(6))])


def wurtzite_of_six_layers(structure_of) -> orm.StructureData:
    a, c, u = 3.110, 3 * 4.980, 0.3821
    cell = np.array([[a, 0, 0], [-a / 2, 3**0.5 / 2 * a, 0], [0, 0, c]])
    places = [(1 / 3, 2 / 3), (2 / 3, 1 / 3)]
    sites = [('Al', (*places[i % 2], i / 6)) for i in range(6)]
    return structure_of(cell, [*sites, *(('N', (*places[i % 2], i / 6 + u / 3)) for i in range(6))])


def test_zincblende_is_refused_as_the_reference_of_wurtzite(path_builder, structure_of):
    crystal, reference = wurtzite_of_six_layers(structure_of), zincblende(structure_of)
    with pytest.raises(InputError, match=r'F-43m allows a formal polarization of \(1/4, 1/4, 1/4\) quanta'):
        path_builder(crystal, reference)


def test_reference_is_taken_where_the_user_insists(path_builder, structure_of, aluminium_nitride):
    """A wurtzite with another u: the result is the difference."""
    cell = np.array(aluminium_nitride.cell)
    other = structure_of(
        cell,
        [(site.kind_name, np.array(site.position) @ np.linalg.inv(cell) + (0, 0, 0.01 * (site.kind_name == 'N')))
         for site in aluminium_nitride.sites],
    )  # fmt: skip
    with pytest.raises(InputError, match='it is polar itself'):
        path_builder(reference=other)
    assert path_builder(reference=other, accept_reference=True).accept_reference.value


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'overrides': {'maximum_images': 2}}, 'a path has two ends and a middle'),
        ({'overrides': {'images': 5}}, 'override `images`: it is unknown'),
        ({'overrides': {'berry': {'mesh': [2, 2, 2]}}}, 'override `mesh`: it is unknown'),
        ({'charges': {'Al': 3, 'N': -2}}, 'add up to'),
        ({'engine': 'vasp'}, 'engine `vasp`'),
    ],
)
def test_refused_arguments(path_builder, arguments, message):
    with pytest.raises(InputError, match=message):
        path_builder(**arguments)


def test_crystal_that_is_not_polar(path_builder, boron_nitride):
    with pytest.raises(InputError, match='F-43m is not polar'):
        path_builder(boron_nitride)
