"""AiiDA workflows from crystal structures to high-fidelity materials data with full provenance."""

__version__ = '0.1.0'
