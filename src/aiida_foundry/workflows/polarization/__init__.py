"""Formal and spontaneous polarization of insulators by Berry phases."""
