"""Fixtures of the whole suite: a temporary AiiDA profile and the fixtures of aiida-core."""

pytest_plugins = ['aiida.tools.pytest_fixtures']
