"""Formal polarization of insulators: by symmetry and charge counting, and by following Berry phases along a path."""

from aiida_foundry.analysis.polarization.branch import Branch, follow_branch
from aiida_foundry.analysis.polarization.formal import FormalPolarization, formal_polarization, survey
from aiida_foundry.analysis.polarization.surface import SurfaceCharge, surface_charge
from aiida_foundry.analysis.polarization.symmetry import AllowedPolarizations, allowed_polarizations

__all__ = (
    'AllowedPolarizations',
    'Branch',
    'FormalPolarization',
    'SurfaceCharge',
    'allowed_polarizations',
    'follow_branch',
    'formal_polarization',
    'surface_charge',
    'survey',
)
