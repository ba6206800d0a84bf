"""Protocols of the workflows on interfaces."""
