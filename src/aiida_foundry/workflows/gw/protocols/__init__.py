"""Protocols of the GW workflows."""
