"""Koopmans corrections by our own executable, `aiida-foundry-ki`."""
