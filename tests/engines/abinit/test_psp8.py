"""UPF → psp8 against the psp8 files that PseudoDojo publishes, as text and through ABINIT."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from aiida.common import LinkType
from aiida.orm import Int
from aiida_pseudo.data.pseudo.psp8 import Psp8Data
from aiida_pseudo.data.pseudo.upf import UpfData
from netCDF4 import Dataset

from aiida_foundry.common.errors import InputError
from aiida_foundry.engines.abinit import calcfunctions, psp8
from aiida_foundry.setup import wheel

FIXTURES = Path(__file__).parents[2] / 'fixtures' / 'psp8'
NAMES = ('Al-PBEsol', 'P-PBEsol', 'Si-PBEsol', 'Mg-PBE')

# Half a unit in the last of the 11 digits of UPF is 5e-11 of a number's decade; native psp8 and UPF stem from two runs
# of ONCVPSP that differ by up to 2.5e-10 themselves.
PRINTED = {'rtol': 1e-10, 'atol': 4e-10}


@dataclass
class Psp8:
    """The blocks of a psp8 file: densities with the factor 4π of the format."""

    header: list[list[str]]
    energies: dict[int, list[float]]
    projectors: dict[int, np.ndarray]
    local: np.ndarray
    core: np.ndarray | None
    valence: np.ndarray

    @classmethod
    def read(cls, text: str) -> Psp8:
        rows = [line.replace('D', 'E').split() for line in text.splitlines()]
        lmax, lloc, mmax = (int(word) for word in rows[2][2:5])
        counts, position = [int(word) for word in rows[4][:5]], 6

        def block(skip: int) -> np.ndarray:
            nonlocal position
            start, position = position + skip, position + skip + mmax
            return np.array(rows[start:position], dtype=float)

        energies, projectors = {}, {}
        for momentum in (momentum for momentum in range(lmax + 1) if counts[momentum]):
            assert int(rows[position][0]) == momentum
            energies[momentum] = [float(word) for word in rows[position][1:]]
            projectors[momentum] = block(skip=1)[:, 2:]
            assert len(energies[momentum]) == projectors[momentum].shape[1] == counts[momentum]
        assert int(rows[position][0]) == lloc
        local = block(skip=1)
        core = block(skip=0) if float(rows[3][1]) > 0 else None
        return cls(rows[1:6], energies, projectors, local, core, block(skip=0))


def load(name: str) -> str:
    return gzip.decompress((FIXTURES / f'{name}.gz').read_bytes()).decode()


@pytest.fixture(scope='module', params=NAMES)
def pair(request) -> tuple[Psp8, Psp8]:
    """Native and converted."""
    native, converted = load(f'{request.param}.psp8'), psp8.upf_to_psp8(load(f'{request.param}.upf'))
    return Psp8.read(native), Psp8.read(converted)


def test_header(pair):
    native, converted = pair
    assert [float(word) for word in converted.header[0][:2]] == [float(word) for word in native.header[0][:2]]
    assert converted.header[1][:6] == native.header[1][:6]
    assert float(converted.header[2][0]) == float(native.header[2][0])  # rchrg
    assert converted.header[3:] == native.header[3:]


def test_local_potential(pair):
    native, converted = pair
    np.testing.assert_array_equal(converted.local[:, :2], native.local[:, :2])
    np.testing.assert_allclose(converted.local[:, 2], native.local[:, 2], **PRINTED)


def test_projectors(pair):
    """To the printed digits, as far as UPF tabulates them: its writer cuts the tail up to 0.06 bohr earlier."""
    native, converted = pair
    assert native.projectors.keys() == converted.projectors.keys()
    for momentum, expected in native.projectors.items():
        obtained = converted.projectors[momentum]
        np.testing.assert_allclose(converted.energies[momentum], native.energies[momentum], **PRINTED)
        end = np.flatnonzero(obtained.any(axis=1))[-1] + 1
        np.testing.assert_allclose(obtained[:end], expected[:end], **PRINTED)
        assert not expected[end + 6 :].any()
        assert np.abs(expected[end:]).max() < 4e-4


def test_valence_density(pair):
    native, converted = pair
    np.testing.assert_allclose(converted.valence[1:, 2], native.valence[1:, 2], **PRINTED)
    # At the origin UPF has 4πr²n = 0: the value is extrapolated.
    np.testing.assert_allclose(converted.valence[0, 2], native.valence[0, 2], rtol=1e-9, atol=PRINTED['atol'])


def test_core_charge(pair):
    native, converted = pair
    if native.core is None:
        assert converted.core is None
        return
    np.testing.assert_allclose(converted.core[:, 2], native.core[:, 2], **PRINTED)
    for order, accuracy in enumerate((1e-8, 1e-7, 2e-6, 1e-4), start=1):
        # ONCVPSP extrapolates the fourth derivative to the origin: there it is not smooth, and without meaning.
        points = slice(1 if order == 4 else 0, None)
        expected = native.core[points, 2 + order]
        atol = accuracy * np.abs(expected).max()
        np.testing.assert_allclose(converted.core[points, 2 + order], expected, rtol=0, atol=atol)


def test_derivatives_of_a_gaussian():
    """Exact: the derivatives of exp(-x²) are Hermite polynomials times it; rounded to the 11 digits of UPF."""
    step, width = 0.01, 0.4
    x = step * np.arange(600) / width
    gaussian = np.exp(-(x**2))
    rounded = np.array([float(f'{value:.10e}') for value in gaussian])
    hermite = (1 + 0 * x, -2 * x, 4 * x**2 - 2, -8 * x**3 + 12 * x, 16 * x**4 - 48 * x**2 + 12)
    accuracy = (5e-11, 1e-9, 2e-8, 5e-7, 2e-5)
    for order, obtained in enumerate(psp8.even_derivatives(rounded, step)):
        exact = hermite[order] * gaussian
        np.testing.assert_allclose(obtained * width**order, exact, rtol=0, atol=accuracy[order] * np.abs(exact).max())


def test_file_without_echo_of_the_input_keeps_its_mesh():
    text = re.sub(r'<PP_INFO>.*?</PP_INFO>', '', load('Mg-PBE.upf'), flags=re.DOTALL)
    size = int(re.search(r'mesh_size="\s*(\d+)', text).group(1))
    converted = Psp8.read(psp8.upf_to_psp8(text))
    assert len(converted.local) == size > len(Psp8.read(load('Mg-PBE.psp8')).local)
    # The longer mesh holds all of the valence density: 10 electrons.
    radius, density = converted.valence[:, 1], converted.valence[:, 2]
    assert (radius**2 * density).sum() * radius[1] == pytest.approx(10, abs=1e-4)


def test_zero_projector_is_left_out():
    """PseudoDojo 0.5 has such: Bi, Pb, Po, Rn, Te, Tl."""
    text = load('Mg-PBE.upf')
    zeroed = re.sub(
        r'(<PP_BETA\.2\s[^>]*>)(.*?)(</PP_BETA\.2>)',
        lambda match: match[1] + '0.0 ' * len(match[2].split()) + match[3],
        text,
        flags=re.DOTALL,
    )
    reference, converted = Psp8.read(psp8.upf_to_psp8(text)), Psp8.read(psp8.upf_to_psp8(zeroed))
    assert converted.header[3][:2] == ['1', '2']
    assert converted.energies == {0: reference.energies[0][:1], 1: reference.energies[1]}
    np.testing.assert_array_equal(converted.projectors[0], reference.projectors[0][:, :1])


@pytest.mark.parametrize(
    ('pattern', 'replacement', 'reason'),
    [
        ('has_so="F"', 'has_so="T"', 'fully relativistic'),
        ('relativistic="scalar"', 'relativistic="full"', 'fully relativistic'),
        ('is_ultrasoft="F"', 'is_ultrasoft="T"', 'ultrasoft'),
        ('pseudo_type="NC"', 'pseudo_type="US"', 'ultrasoft'),
        ('is_paw="F"', 'is_paw="T"', 'PAW'),
        ('pseudo_type="NC"', 'pseudo_type="PAW"', 'PAW'),
        ('pseudo_type="NC"', 'pseudo_type="SL"', 'not a separable norm-conserving'),
        ('is_coulomb="F"', 'is_coulomb="T"', 'not a separable norm-conserving'),
        ('functional="PBE"', 'functional="SCAN"', 'functional SCAN'),
        ('z_valence', 'z_valenc', 'header lacks z_valence'),
        ('element="Mg"', 'element="Xx"', 'Xx does not exist'),
        ('<UPF version="2.0.1">', '<UPF version="3.0">', 'not UPF v2'),
        ('<UPF version="2.0.1">', '', 'UPF v1'),
        ('<UPF version="2.0.1">', '<psml version="1.1">', 'PSML'),
        (r'0\.0100    0\.0200', '0.0100    0.0201', 'not linear'),
        ('0.0000    0.0100', '0.0050    0.0100', 'not linear'),
        ('0.0000    0.0100', 'NaN       0.0100', 'finite numbers'),
        ('0.0000    0.0100', 'zero      0.0100', 'not a number'),
        ('<PP_LOCAL[^>]*>\n[^\n]*\n', '<PP_LOCAL>\n', 'section PP_LOCAL does not hold'),
        ('</PP_LOCAL>', '', 'section PP_LOCAL is missing or not closed'),
        ('<PP_RHOATOM', '<PP_RHO', 'section PP_RHOATOM is missing'),
        ('<PP_DIJ', '<PP_D', 'section PP_DIJ is missing'),
        (r'<PP_BETA\.3', '<PP_B.3', r'section PP_BETA\.3 is missing'),
        ('core_correction="F"', 'core_correction="T"', 'section PP_NLCC is missing'),
        (r'(<PP_DIJ[^>]*>\s*\S+\s+)\S+', r'\g<1>0.1', 'not diagonal'),
    ],
)
def test_refused(pattern, replacement, reason):
    text, count = re.subn(pattern, replacement, load('Mg-PBE.upf'), count=1)
    assert count == 1
    with pytest.raises(InputError, match=reason) as refusal:
        psp8.upf_to_psp8(text)
    assert refusal.value.remedy


def test_other_text_is_refused():
    with pytest.raises(InputError, match='not UPF v2'):
        psp8.upf_to_psp8(load('Mg-PBE.psp8'))
    with pytest.raises(InputError, match='not UPF v2'):
        psp8.upf_to_psp8('')


@pytest.mark.parametrize(
    ('label', 'count', 'functional'),
    [
        ('PseudoDojo/0.4/LDA/SR/standard/upf', 70, '-1012'),
        ('PseudoDojo/0.4/PBE/SR/standard/upf', 72, '11'),
        ('PseudoDojo/0.4/PBEsol/SR/standard/upf', 72, '-116133'),
        ('PseudoDojo/0.5/PBE/SR/standard/upf', 72, '11'),
    ],
)
def test_whole_tables(label, count, functional):
    """Every element converts, to a file whose blocks are where the header says and whose functions end as they must."""
    try:
        upfs = wheel.read_upfs(wheel.ensure_wheel(offline=True), label)
    except InputError as error:
        pytest.skip(f'the tables are not on this machine: {error.reason}')
    assert len(upfs) == count
    for element, upf in upfs.items():
        converted = Psp8.read(psp8.upf_to_psp8(upf.decode()))
        assert converted.header[1][1] == functional, element
        assert not any(functions[-1].any() for functions in converted.projectors.values()), element
        radius, potential = converted.local[-1, 1:]
        assert radius * potential == pytest.approx(-float(converted.header[0][1]), rel=1e-4), element
        assert converted.core is None or converted.core[-1, 2] < 1e-7, element


@pytest.mark.parametrize('element', ['Bi', 'Pb', 'Po', 'Rn', 'Te', 'Tl'])
def test_zero_projectors_of_the_table(element):
    try:
        upf = wheel.read_upfs(wheel.ensure_wheel(offline=True), 'PseudoDojo/0.5/PBE/SR/standard/upf')[element].decode()
    except InputError as error:
        pytest.skip(f'the tables are not on this machine: {error.reason}')
    converted = Psp8.read(psp8.upf_to_psp8(upf))
    assert sum(map(len, converted.energies.values())) < int(re.search(r'number_of_proj="\s*(\d+)', upf).group(1))
    assert all(functions.any(axis=0).all() for functions in converted.projectors.values())


def upf_node(name: str) -> UpfData:
    return UpfData(BytesIO(load(f'{name}.upf').encode()), f'{name}.upf').store()


def test_calcfunction(aiida_profile):
    upf = upf_node('Mg-PBE')
    converted = calcfunctions.upf_to_psp8(upf, Int(psp8.VERSION))
    assert isinstance(converted, Psp8Data)
    assert (converted.element, converted.filename) == ('Mg', 'Mg-PBE.psp8')
    assert converted.get_content() == psp8.upf_to_psp8(load('Mg-PBE.upf'))
    links = converted.creator.base.links.get_incoming(link_type=LinkType.INPUT_CALC).nested()
    assert links['upf'].uuid == upf.uuid
    assert links['version'].value == psp8.VERSION


def test_kinds_share_a_conversion(aiida_profile):
    magnesium, silicon = upf_node('Mg-PBE'), upf_node('Si-PBEsol')
    converted = calcfunctions.psp8_by_kind({'Mg1': magnesium, 'Mg2': magnesium, 'Si': silicon})
    assert {kind: node.element for kind, node in converted.items()} == {'Mg1': 'Mg', 'Mg2': 'Mg', 'Si': 'Si'}
    assert converted['Mg1'].uuid == converted['Mg2'].uuid


INPUT = """\
pseudos "{pseudos}"
ntypat {ntypat}
znucl {znucl}
natom 2
typat 1 {ntypat}
acell 3*{acell}
rprim 0 .5 .5 .5 0 .5 .5 .5 0
xred 0 0 0 .26 .24 .255
nsym 1
chksymbreak 0
ngkpt 2 2 2
nshiftk 1
shiftk .5 .5 .5
ecut 8
nband 8
nstep 40
toldff 1e-8
"""


def run_abinit(folder: Path, contents: list[str], **variables: object) -> dict[str, np.ndarray]:
    """Energy (Ha), forces (Ha/bohr) and eigenvalues (Ha) of a distorted zincblende cell."""
    folder.mkdir()
    names = [f'{index}.psp8' for index in range(len(contents))]
    for name, content in zip(names, contents, strict=True):
        (folder / name).write_text(content)
    (folder / 'run.abi').write_text(INPUT.format(pseudos=', '.join(names), ntypat=len(names), **variables))
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    subprocess.run(['abinit', 'run.abi'], cwd=folder, env=environment, check=True, capture_output=True)
    with Dataset(folder / 'runo_GSR.nc') as results:
        return {key: np.array(results[key][...]) for key in ('etotal', 'cartesian_forces', 'eigenvalues')}


@pytest.mark.engine
@pytest.mark.skipif(shutil.which('abinit') is None, reason='needs abinit')
@pytest.mark.parametrize(
    ('names', 'variables'),
    [
        pytest.param(['Si-PBEsol'], {'znucl': '14', 'acell': 10.2}, id='Si'),
        pytest.param(['Al-PBEsol', 'P-PBEsol'], {'znucl': '13 15', 'acell': 10.3}, id='AlP'),
    ],
)
def test_abinit_gives_the_same(tmp_path, names, variables):
    native = run_abinit(tmp_path / 'native', [load(f'{name}.psp8') for name in names], **variables)
    upfs = [psp8.upf_to_psp8(load(f'{name}.upf')) for name in names]
    converted = run_abinit(tmp_path / 'converted', upfs, **variables)
    assert np.abs(native['cartesian_forces']).max() > 5e-3
    np.testing.assert_allclose(converted['cartesian_forces'], native['cartesian_forces'], rtol=0, atol=1e-6)
    np.testing.assert_allclose(converted['etotal'], native['etotal'], rtol=0, atol=1e-4)
    np.testing.assert_allclose(converted['eigenvalues'], native['eigenvalues'], rtol=0, atol=1e-3 / 27.211386)
