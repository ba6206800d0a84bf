"""The spontaneous polarization of wurtzite AlN: the path from the flat structure and its branch."""

from aiida import load_profile
from aiida.engine import run_get_node
from aiida.orm import load_code
from aiida.plugins import WorkflowFactory

from aiida_foundry.structures.importers import load_structure

load_profile()
coarse = {'kpoints_mesh': [2, 2, 2], 'parameters': {'wavefunction_cutoff': 24.0, 'density_cutoff': 96.0}}
builder = WorkflowFactory('foundry.polarization.path').get_builder_from_protocol(
    code=load_code('pw@localhost'),
    structure=load_structure('AlN'),
    protocol='fast',
    overrides={'berry': coarse},
)
outputs, node = run_get_node(builder)
if not node.is_finished_ok:
    raise SystemExit(f'{node.process_label}<{node.pk}> failed: {node.exit_message}')

polarization = outputs['polarization'].get_dict()
for fraction, vector in zip(polarization['fractions'], polarization['path'], strict=True):
    print(f'{fraction:5.2f} of the path: {vector[2]:7.3f} C/m² along c')
print(f'spontaneous: {polarization["magnitude"]:.3f} C/m²')
