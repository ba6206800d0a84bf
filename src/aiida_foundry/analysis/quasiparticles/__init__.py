"""Quasiparticle corrections of one code brought to the k-points and bands of another."""

from __future__ import annotations

from aiida_foundry.analysis.quasiparticles.states import Quasiparticles, scissor
from aiida_foundry.analysis.quasiparticles.symmetry import reciprocal_operations
from aiida_foundry.analysis.quasiparticles.transfer import EXTRAPOLATIONS, Transfer, transfer

VERSION = 1

__all__ = ['EXTRAPOLATIONS', 'VERSION', 'Quasiparticles', 'Transfer', 'reciprocal_operations', 'scissor', 'transfer']
