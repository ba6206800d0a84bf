"""Protocols of the polarization workflows."""
