"""A workflow of two jobs that takes no time: it adds numbers that a structure has."""

from __future__ import annotations

from aiida import orm
from aiida.engine import ToContext, WorkChain
from aiida.plugins import CalculationFactory

ENTRY_POINT = 'toy.sums'


class ToySumsWorkChain(WorkChain):
    """Adds the atomic numbers of a structure, first to its number of sites, then to that sum.

    Its engine is bash. A structure of more than three sites is refused; protocols are ``fast``, and ``negative``,
    whose sum the parser of the engine takes for a failure.
    """

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input('code', valid_type=orm.AbstractCode)
        spec.input('structure', valid_type=orm.StructureData)
        spec.input('offset', valid_type=orm.Int)
        spec.outline(cls.run_first, cls.run_second, cls.results)
        spec.output('sum', valid_type=orm.Int)
        spec.exit_code(400, 'ERROR_SUB_PROCESS_FAILED_SUM', message='A sum failed.')

    @classmethod
    def get_builder_from_protocol(cls, code, structure, protocol=None, overrides=None, offset=0):
        if len(structure.sites) > 3:
            raise ValueError('more than three sites')
        builder = cls.get_builder()
        builder.code = code
        builder.structure = structure
        builder.offset = orm.Int(-(10**6) if protocol == 'negative' else offset)
        return builder

    def _add(self, label, x, y):
        metadata = {'call_link_label': label, 'options': {'resources': {'num_machines': 1}}}
        inputs = {'code': self.inputs.code, 'x': orm.Int(x), 'y': orm.Int(y), 'metadata': metadata}
        return self.submit(CalculationFactory('core.arithmetic.add'), **inputs)

    def run_first(self):
        numbers = sum(self.inputs.structure.get_ase().numbers)
        return ToContext(first=self._add('first', len(self.inputs.structure.sites), int(numbers)))

    def run_second(self):
        if not self.ctx.first.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_SUM
        return ToContext(second=self._add('second', self.ctx.first.outputs.sum.value, self.inputs.offset.value))

    def results(self):
        if not self.ctx.second.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_SUM
        self.out('sum', self.ctx.second.outputs.sum)
        return None
