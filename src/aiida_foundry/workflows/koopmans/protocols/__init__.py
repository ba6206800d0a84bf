"""Protocols of the area."""
