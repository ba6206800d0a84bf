"""Formal polarization of insulators: by symmetry and charge counting, and by following Berry phases along a path."""

from aiida_foundry.analysis.polarization.formal import FormalPolarization, formal_polarization, survey
from aiida_foundry.analysis.polarization.surface import SurfaceCharge, surface_charge
from aiida_foundry.analysis.polarization.symmetry import AllowedPolarizations, allowed_polarizations

__all__ = (
    'AllowedPolarizations',
    'FormalPolarization',
    'SurfaceCharge',
    'allowed_polarizations',
    'formal_polarization',
    'surface_charge',
    'survey',
)
