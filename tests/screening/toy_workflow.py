"""A workflow that takes no time: it adds numbers that a structure has."""

from __future__ import annotations

from aiida import orm
from aiida.engine import ToContext, WorkChain
from aiida.plugins import CalculationFactory

ENTRY_POINT = 'toy.sums'


class ToySumsWorkChain(WorkChain):
    """Adds the atomic numbers of a structure to its number of sites and an offset; a second job adds nothing.

    Its engine is bash. A structure of more than three sites is refused; protocols are ``fast``, and ``negative``,
    whose sum the parser of the engine takes for a failure.
    """

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input('code', valid_type=orm.AbstractCode)
        spec.input('structure', valid_type=orm.StructureData)
        spec.input('offset', valid_type=orm.Int)
        spec.input('jobs', valid_type=orm.Int)
        spec.outline(cls.run_first, cls.run_second, cls.results)
        spec.output('sum', valid_type=orm.Int)
        spec.exit_code(400, 'ERROR_SUB_PROCESS_FAILED_SUM', message='A sum failed.')

    @classmethod
    def get_builder_from_protocol(cls, code, structure, protocol=None, overrides=None, offset=0, jobs=1):
        if len(structure.sites) > 3:
            raise ValueError('more than three sites')
        builder = cls.get_builder()
        builder.code = code
        builder.structure = structure
        builder.offset = orm.Int(-(10**6) if protocol == 'negative' else offset)
        builder.jobs = orm.Int(jobs)
        return builder

    def _add(self, label, x, y):
        metadata = {'call_link_label': label, 'options': {'resources': {'num_machines': 1}}}
        inputs = {'code': self.inputs.code, 'x': orm.Int(x), 'y': orm.Int(y), 'metadata': metadata}
        return self.submit(CalculationFactory('core.arithmetic.add'), **inputs)

    def run_first(self):
        numbers = sum(self.inputs.structure.get_ase().numbers)
        sites = len(self.inputs.structure.sites)
        return ToContext(sum=self._add('first', sites + self.inputs.offset.value, int(numbers)))

    def run_second(self):
        if not self.ctx.sum.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_SUM
        if self.inputs.jobs.value == 1:
            return None
        return ToContext(sum=self._add('second', self.ctx.sum.outputs.sum.value, 0))

    def results(self):
        if not self.ctx.sum.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_SUM
        self.out('sum', self.ctx.sum.outputs.sum)
        return None
