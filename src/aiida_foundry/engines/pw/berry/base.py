"""Restart wrapper of pw.x for Berry phases and the ground states that they start from."""

from __future__ import annotations

from aiida.engine import ProcessHandlerReport, process_handler
from aiida.orm import CalcJobNode
from aiida_quantumespresso.calculations.pw import PwCalculation
from aiida_quantumespresso.workflows.pw.base import PwBaseWorkChain

CODES = PwCalculation.exit_codes

DIAGONALIZATIONS = ('david', 'cg', 'ppcg')
"""In the order in which they are tried: the quickest, the most stable, another one."""


class BerryPwBaseWorkChain(PwBaseWorkChain):
    """`PwBaseWorkChain` with other remedies for a diagonalisation that fails; all other handlers are its own.

    For `paro`, the next choice there, pw.x 6.7 calls itself experimental; on fixed potentials conjugate gradients are
    the remedy that converges every band.
    """

    @process_handler(
        priority=585,
        exit_codes=[
            CODES.ERROR_COMPUTING_CHOLESKY,
            CODES.ERROR_DIAGONALIZATION_TOO_MANY_BANDS_NOT_CONVERGED,
            CODES.ERROR_S_MATRIX_NOT_POSITIVE_DEFINITE,
            CODES.ERROR_ZHEGVD_FAILED,
            CODES.ERROR_QR_FAILED,
            CODES.ERROR_EIGENVECTOR_CONVERGENCE,
            CODES.ERROR_BROYDEN_FACTORIZATION,
        ],
    )
    def handle_diagonalization_errors(self, calculation: CalcJobNode) -> ProcessHandlerReport:
        """Take the next diagonalisation.

        Cause: an algorithm that does not converge on these states. Remedy: david, then cg, then ppcg. Gives up: when
        all three were tried.
        """
        current = self.ctx.inputs.parameters['ELECTRONS'].get('diagonalization', DIAGONALIZATIONS[0]).lower()
        tried = {*self.ctx.get('diagonalizations', []), current}
        self.ctx.diagonalizations = sorted(tried)
        left = [name for name in DIAGONALIZATIONS if name not in tried]
        if not left:
            self.report_error_handled(calculation, f'{", ".join(DIAGONALIZATIONS)} were all tried: give up')
            return ProcessHandlerReport(do_break=True, exit_code=self.exit_codes.ERROR_KNOWN_UNRECOVERABLE_FAILURE)
        self.ctx.inputs.parameters['ELECTRONS']['diagonalization'] = left[0]
        self.report_error_handled(calculation, f'diagonalization `{left[0]}` instead of `{current}`')
        return ProcessHandlerReport(do_break=True)
