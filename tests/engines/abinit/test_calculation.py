"""What an ABINIT calculation writes and sends, and which inputs it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from aiida.common.folders import SandboxFolder
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager

from aiida_foundry.engines import checksums
from aiida_foundry.engines.abinit.calculation import AbinitCalculation


@pytest.fixture
def prepare():
    """Prepare a calculation for submission; return the text of its input file and what AiiDA shall do."""

    def run(inputs):
        runner = get_manager().create_runner(communicator=None, broker_submit=False)
        process = instantiate_process(runner, AbinitCalculation, **inputs)
        with SandboxFolder() as folder:
            info = process.prepare_for_submission(folder)
            with folder.open('aiida.abi') as handle:
                return handle.read(), info

    return run


def kpoints_list(weights=None) -> orm.KpointsData:
    kpoints = orm.KpointsData()
    kpoints.set_kpoints([[0, 0, 0], [0.5, 0, 0], [0.5, 0.5, 0]], weights=weights)
    return kpoints


@pytest.fixture
def variants(abinit_inputs, silicon, mesh, remote):
    """Return inputs by the name of their regression file."""
    return {
        'default': abinit_inputs(),
        'shifted_mesh': abinit_inputs(
            kpoints=mesh((4, 4, 2), (0.5, 0.5, 0)),
            parameters={'ecut': '20 Ry', 'toldfe': 1e-8, 'kptopt': 3, 'istwfk': '*1'},
        ),
        'list': abinit_inputs(kpoints=kpoints_list(), parameters={'ecut': 4, 'iscf': -2, 'tolwfr': 1e-8, 'nband': 8}),
        'weighted_list': abinit_inputs(kpoints=kpoints_list([1.0, 4.0, 3.0])),
        'kinds': abinit_inputs(
            structure=silicon('Si1', 'Si2'),
            parameters={'ecut': 4, 'toldfe': 1e-8, 'nsppol': 2, 'spinat': [[0, 0, 1.5], [0, 0, -1.5]]},
        ),
        'sigma': abinit_inputs(
            parameters={
                'ECUT': 4,
                'optdriver': 4,
                'kptgw': [[0, 0, 0], [0.5, 0, 0]],
                'bdgw': [[1, 8], [1, 8]],
                'nkptgw': 2,
            },
            parents={'wavefunctions': remote(), 'screening': remote(), 'quasiparticles': remote()},
        ),
    }


@pytest.mark.parametrize('name', ['default', 'shifted_mesh', 'list', 'weighted_list', 'kinds', 'sigma'])
def test_input_file(prepare, variants, file_regression, name):
    text, _ = prepare(variants[name])
    file_regression.check(text, extension='.abi')


def test_cell_keeps_all_digits(prepare, abinit_inputs):
    """ABINIT symmetrises with a tolerance: what it reads must be the double-precision numbers of the node."""
    inputs = abinit_inputs()
    lines = prepare(inputs)[0].splitlines()
    start = lines.index('rprim')
    cell = np.array([[float(entry) for entry in line.split()] for line in lines[start + 1 : start + 4]])
    assert cell[0, 1] == cell[1, 2] == cell[2, 0]
    assert cell[0, 1] == pytest.approx(10.2631026 / 2, rel=1e-9)


def test_files(prepare, abinit_inputs, silicon_psp8):
    _, info = prepare(abinit_inputs())
    results = ['aiida.log', 'aiida.abo', 'out_GSR.nc']
    assert info.retrieve_list == ['__ABI_MPIABORTFILE__', 'checksums.sha256', *results]
    assert info.append_text == checksums.command(results)
    assert info.local_copy_list == [(silicon_psp8.uuid, 'Si-PBEsol.psp8', 'pseudo/Si.psp8')]
    assert info.codes_info[0].cmdline_params == ['aiida.abi']
    assert info.codes_info[0].stdout_name == 'aiida.log'


@pytest.mark.parametrize(
    ('parameters', 'files'),
    [
        ({'optdriver': 3}, []),
        ({'optdriver': 4}, ['out_SIGRES.nc']),
        ({'optdriver': 99}, ['out_MDF.nc']),
        ({'rfphon': 1, 'tolvrs': 1e-8}, ['out_DDB', 'out_DDB.nc']),
    ],
)
def test_only_small_files_come_back(prepare, abinit_inputs, parameters, files):
    _, info = prepare(abinit_inputs(parameters={'ecut': 4, **parameters}))
    assert info.retrieve_list[4:] == files


def test_files_of_a_diagonalisation(prepare, abinit_inputs):
    corrections = orm.SinglefileData.from_string('0 1\n', filename='shift.txt')
    parameters = {'ecut': 4, 'optdriver': 99, 'BS_algorithm': 1, 'bs_calctype': 2}
    _, info = prepare(abinit_inputs(parameters=parameters, quasiparticle_file=corrections))
    assert info.retrieve_temporary_list == ['out_BSEIG']
    assert info.retrieve_list[-1] == 'out_EXC_OST'
    assert (corrections.uuid, 'shift.txt', '__in.gw__') in info.local_copy_list


def test_walltime_is_told(prepare, abinit_inputs):
    options = {'resources': {'num_machines': 1}, 'max_wallclock_seconds': 7200}
    _, info = prepare(abinit_inputs(metadata={'options': options}))
    assert info.codes_info[0].cmdline_params == ['aiida.abi', '--timelimit', '1:54:00']


def test_settings(prepare, abinit_inputs, remote, aiida_localhost):
    settings = orm.Dict(
        {'restart_mode': 'copy', 'additional_retrieve_list': ['out_EIG.nc'], 'cmdline': ['--enforce-fortran-io']}
    )
    _, info = prepare(abinit_inputs(settings=settings, parents={'density': remote()}))
    assert info.remote_symlink_list == []
    assert info.remote_copy_list == [(aiida_localhost.uuid, '/scratch/parent/out_DEN', 'in_DEN')]
    assert info.retrieve_list[-1] == 'out_EIG.nc'
    assert info.codes_info[0].cmdline_params == ['aiida.abi', '--enforce-fortran-io']


@pytest.mark.parametrize(
    ('kind', 'parameters', 'links', 'variable'),
    [
        ('density', {}, [('out_DEN', 'in_DEN')], 'irdden'),
        ('wavefunctions', {}, [('out_WFK', 'in_WFK')], 'irdwfk'),
        ('wavefunctions', {'IOMODE': 3}, [('out_WFK.nc', 'in_WFK.nc')], 'irdwfk'),
        ('screening', {}, [('out_SCR', 'in_SCR')], 'irdscr'),
        ('quasiparticles', {'iomode': 3}, [('out_QPS', 'in_QPS')], 'irdqps'),
        ('bse_resonant', {}, [('out_BSR', 'in_BSR')], 'irdbsreso'),
        # Derivatives along the three directions come after those of the 3N displacements of N = 2 atoms.
        ('ddk', {}, [(f'out_1WF{index}', f'in_1WF{index}') for index in (7, 8, 9)], 'irdddk'),
    ],
)
def test_parents(prepare, abinit_inputs, remote, kind, parameters, links, variable):
    text, info = prepare(abinit_inputs(parents={kind: remote(parameters=parameters)}))
    assert [(source.rsplit('/', 1)[1], target) for _, source, target in info.remote_symlink_list] == links
    assert f'{variable} 1\n' in text


@pytest.mark.parametrize(
    ('parameters', 'message'),
    [
        ({'ecutt': 4}, 'not an input variable of ABINIT; close names: ecut'),
        ({'ecut1': 4}, 'index of a dataset'),
        ({'ecut?': 4}, 'index of a dataset'),
        ({'ecut:': 4}, 'index of a dataset'),
        ({'ndtset': 2}, 'one calculation is one dataset'),
        ({'natom': 2}, 'written from the input `structure`'),
        ({'XRED': [[0, 0, 0]]}, 'written from the input `structure`'),
        ({'ngkpt': [2, 2, 2]}, 'written from the input `kpoints`'),
        ({'pseudos': 'Si.psp8'}, 'written from the input `pseudos`'),
        ({'irdwfk': 1}, 'given in the input `parents`'),
        ({'getden': -1}, 'given in the input `parents`'),
        ({'outdata_prefix': 'x'}, 'names of the files belong to the plugin'),
        ({'ecut': -4}, 'must be positive'),
        ({'nband': 0}, 'must be positive'),
        ({'nband': [4, 0]}, 'must be positive'),
        ({'nband': 4.5}, 'must be an integer'),
        ({'ecuteps': float('nan')}, 'not finite'),
        ({'kptgw': []}, 'is no value'),
        ({'diemac': None}, 'is no value'),
        ({'Ecut': 4}, 'given twice'),
        ({'ecut': None}, 'is no value'),
        ({'toldfe': 0}, 'no tolerance'),
        ({'kptopt': 0}, 'does not describe a mesh'),
    ],
)
def test_bad_parameters(prepare, abinit_inputs, parameters, message):
    with pytest.raises(ValueError, match=message):
        prepare(abinit_inputs(parameters={'ecut': 4, 'toldfe': 1e-8, **parameters}))


def test_missing_cutoff(prepare, abinit_inputs):
    with pytest.raises(ValueError, match='`ecut` is missing'):
        prepare(abinit_inputs(parameters={'toldfe': 1e-8}))


def test_kptopt_of_a_list(prepare, abinit_inputs):
    with pytest.raises(ValueError, match='a list of k-points has `kptopt 0`'):
        prepare(abinit_inputs(kpoints=kpoints_list(), parameters={'ecut': 4, 'toldfe': 1e-8, 'kptopt': 1}))


def test_empty_kpoints(prepare, abinit_inputs):
    with pytest.raises(ValueError, match='neither a mesh nor a list'):
        prepare(abinit_inputs(kpoints=orm.KpointsData()))


def test_partial_occupancy(prepare, abinit_inputs):
    structure = orm.StructureData(cell=np.eye(3).tolist())
    structure.append_atom(position=(0, 0, 0), symbols=('Si', 'Ge'), weights=(0.5, 0.5), name='Si')
    with pytest.raises(ValueError, match='partially occupied'):
        prepare(abinit_inputs(structure=structure))


def test_no_atoms(prepare, abinit_inputs):
    with pytest.raises(ValueError, match='it has no atoms'):
        prepare(abinit_inputs(structure=orm.StructureData(cell=np.eye(3).tolist()), pseudos={}))


def test_pseudopotentials(prepare, abinit_inputs, silicon_psp8):
    structure = orm.StructureData(cell=np.eye(3).tolist())
    structure.append_atom(position=(0, 0, 0), symbols='Ge', name='Ge')
    with pytest.raises(ValueError, match='`Ge` is Ge, but its pseudopotential is for Si'):
        prepare(abinit_inputs(structure=structure))
    with pytest.raises(ValueError, match=r"no pseudopotential for kind\(s\) \['Ge'\]"):
        prepare(abinit_inputs(structure=structure, pseudos={'Si': silicon_psp8}))
    with pytest.raises(ValueError, match=r"\['O'\] are not kinds of the structure"):
        prepare(abinit_inputs(pseudos={'Si': silicon_psp8, 'O': silicon_psp8}))


def test_settings_are_checked(prepare, abinit_inputs):
    with pytest.raises(ValueError, match='unknown'):
        prepare(abinit_inputs(settings=orm.Dict({'retrieve': []})))
    with pytest.raises(ValueError, match="'move' is unknown"):
        prepare(abinit_inputs(settings=orm.Dict({'restart_mode': 'move'})))


def test_parents_are_checked(prepare, abinit_inputs, remote, aiida_computer_local):
    with pytest.raises(ValueError, match='unknown kind of file'):
        prepare(abinit_inputs(parents={'potential': remote()}))
    elsewhere = orm.RemoteData(remote_path='/scratch', computer=aiida_computer_local(label='elsewhere')).store()
    with pytest.raises(ValueError, match='its folder is on `elsewhere`'):
        prepare(abinit_inputs(parents={'density': elsewhere}))
