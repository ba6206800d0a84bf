"""The quasiparticle gap of silicon from a CIF file, with a builder."""

from aiida import load_profile
from aiida.engine import run_get_node
from aiida.orm import load_code
from aiida.plugins import WorkflowFactory

from aiida_foundry.structures.importers import load_structure

load_profile()
builder = WorkflowFactory('foundry.gw.gap').get_builder_from_protocol(
    code=load_code('abinit@localhost'),
    structure=load_structure('examples/Si.cif'),
    method='g0w0-ppm',
    protocol='fast',
)
outputs, node = run_get_node(builder)
if not node.is_finished_ok:
    raise SystemExit(f'{node.process_label}<{node.pk}> failed: {node.exit_message}')

gaps = outputs['gaps'].get_dict()
print(f'direct gap: {gaps["kohn_sham"]["direct"]:.3f} eV by PBE, {gaps["quasiparticle"]["direct"]:.3f} eV by G0W0')
