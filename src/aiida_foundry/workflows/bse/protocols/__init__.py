"""Protocols of the workflows of this area."""
