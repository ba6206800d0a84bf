"""CalcJobs of kcw.x: Wannier densities, screening parameters, Koopmans energies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from aiida import orm
from aiida.common.datastructures import CalcInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJobProcessSpec
from aiida_quantumespresso.calculations.namelists import NamelistsCalculation

from aiida_foundry.engines import checksums
from aiida_foundry.engines.kcw.exit_codes import define_exit_codes

SEEDNAME = 'wannier'
ALPHA_FILE = 'file_alpharef.txt'
"""Name under which kcw.x looks for screening parameters before its own file."""

_OUTDIR, _PREFIX = './out/', 'aiida'
_WANNIER_FILES = {
    'occupied': {'aiida_u.mat': 'u.mat', 'aiida_centres.xyz': 'centres.xyz'},
    'empty': {
        'aiida_u.mat': 'emp_u.mat',
        'aiida_u_dis.mat': 'emp_u_dis.mat',
        'aiida_centres.xyz': 'emp_centres.xyz',
    },
}


class KcwCalculation(NamelistsCalculation):
    """What the three steps of kcw.x have in common.

    The folder of the step before comes as `parent_folder`, first that of pw.x with the states on the full mesh in two
    spin channels. The gauge matrices come from the Wannier functions of occupied and empty bands.
    """

    STEP: ClassVar[str] = ''
    _OUTPUT_SUBFOLDER = _OUTDIR
    _PREFIX = _PREFIX

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define inputs, outputs and exit codes."""
        super().define(spec)
        spec.inputs['parent_folder'].required = True
        spec.inputs['parent_folder'].valid_type = orm.RemoteData
        spec.inputs['metadata']['options']['resources'].default = lambda: {
            'num_machines': 1,
            'num_mpiprocs_per_machine': 1,
        }
        for manifold, wanted in _WANNIER_FILES.items():
            spec.input(
                manifold,
                valid_type=orm.FolderData,
                validator=lambda node, _, wanted=wanted: check_files(node, wanted),
                help=f'Files of Wannier90 of the {manifold} bands.',
            )
        spec.output('output_parameters', valid_type=orm.Dict, help='Version, settings, warnings; times in seconds.')
        spec.default_output_node = 'output_parameters'
        define_exit_codes(spec)

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the input file and add the files of Wannier90."""
        calc_info = super().prepare_for_submission(folder)
        calc_info.append_text = checksums.command([self.options.output_filename])
        calc_info.retrieve_list.append(checksums.FILE)
        for manifold, files in _WANNIER_FILES.items():
            node = self.inputs[manifold]
            calc_info.local_copy_list += [
                (node.uuid, source, f'{SEEDNAME}_{target}') for source, target in files.items()
            ]  # fmt: skip
        return calc_info


def check_files(node: orm.FolderData, wanted: Sequence[str]) -> str | None:
    """Return which files a folder lacks."""
    missing = sorted(set(wanted) - set(node.base.repository.list_object_names()))
    return f'it lacks {", ".join(missing)}' if missing else None


def _owned(step: str) -> list[tuple[str, str, Any]]:
    return [
        ('CONTROL', 'outdir', _OUTDIR),
        ('CONTROL', 'prefix', _PREFIX),
        ('CONTROL', 'calculation', step),
        ('CONTROL', 'kcw_at_ks', False),
        ('CONTROL', 'read_unitary_matrix', True),
        ('WANNIER', 'seedname', SEEDNAME),
        ('WANNIER', 'check_ks', True),
    ]


class Wann2kcwCalculation(KcwCalculation):
    """Wannier densities at all q from the states and the gauge matrices (``wann2kcw``)."""

    STEP = 'wann2kcw'
    _default_namelists: ClassVar = ['CONTROL', 'WANNIER']
    _blocked_keywords: ClassVar = _owned(STEP)
    _default_parser = 'foundry.kcw'


class KcwScreenCalculation(KcwCalculation):
    """Screening parameters by linear response (``screen``), of all orbitals or of the one of `SCREEN.i_orb`."""

    STEP = 'screen'
    _default_namelists: ClassVar = ['CONTROL', 'WANNIER', 'SCREEN']
    _blocked_keywords: ClassVar = _owned(STEP)
    _default_parser = 'foundry.kcw'

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define the output."""
        super().define(spec)
        spec.output(
            'screening',
            valid_type=orm.ArrayData,
            required=False,
            help='`orbitals` from 1, `alpha`, `self_hartree` (Ry), `computed`; `points` (line, 2) with q-point and '
            'orbital from 1 and `integrals` (line, 3), screened, bare and self-Hartree in Ry with the weight of q; '
            '`head` (2), the part of q + G = 0 in screened and bare integrals of Γ; `qpoints` (q, 3) reduced.',
        )


class KcwHamCalculation(KcwCalculation):
    """Koopmans energies on the mesh (``ham``) with given screening parameters."""

    STEP = 'ham'
    _default_namelists: ClassVar = ['CONTROL', 'WANNIER', 'HAM']
    _blocked_keywords: ClassVar = [*_owned(STEP), ('HAM', 'do_bands', False)]
    _default_parser = 'foundry.kcw'

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define what is special to this step."""
        super().define(spec)
        spec.input(
            'screening',
            valid_type=orm.ArrayData,
            validator=check_screening,
            help='`alpha` of each function, occupied ones first.',
        )
        spec.output(
            'koopmans',
            valid_type=orm.ArrayData,
            required=False,
            help='`kpoints` (k, 3) reduced; `kohn_sham` and `koopmans` (k, function), energies in eV of the Wannier '
            'functions, ordered at each k-point.',
        )

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Add the file with the screening parameters."""
        calc_info = super().prepare_for_submission(folder)
        alpha = self.inputs.screening.get_array('alpha')
        # the third column, self-Hartree energies, is read and not used
        lines = [f'{number:5d}   {value:16.12f}   {0:16.12f}' for number, value in enumerate(alpha, start=1)]
        with folder.open(ALPHA_FILE, 'w', encoding='utf-8') as handle:
            handle.write('\n'.join([f'{len(lines):5d}', *lines]) + '\n')
        return calc_info


def check_screening(node: orm.ArrayData, _: Any) -> str | None:
    """Refuse screening parameters that are not there or outside (0, 1]."""
    if 'alpha' not in node.get_arraynames():
        return 'screening: it has no `alpha`'
    alpha = node.get_array('alpha')
    bad = [f'{value:.4f} of orbital {index}' for index, value in enumerate(alpha, start=1) if not 0 < value <= 1]
    return f'screening: parameters outside (0, 1]: {", ".join(bad)}' if bad else None
