"""Command line of ``aiida-foundry-ki``; what computes is imported when there is something to compute."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import aiida_foundry


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog='aiida-foundry-ki', description='Koopmans energies from states of pw.x and functions of Wannier90'
    )
    parser.add_argument('input', type=Path, help='JSON file with the fields of `program.Job`')
    parser.add_argument('--version', action='version', version=f'aiida-foundry-ki {aiida_foundry.__version__}')
    path = parser.parse_args(arguments).input
    from aiida_foundry.engines.koopmans.program import execute

    return execute(path)


if __name__ == '__main__':
    sys.exit(main())
