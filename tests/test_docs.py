"""Every command and every piece of Python in the README, the documentation and the examples is executed.

A document is a script: its ``bash`` and ``python`` blocks run in order, in a folder that has ``examples/``, against a
profile made for the purpose. Only the lines of ``NOT_RUN`` and the documents of ``RUN_ELSEWHERE`` are left out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / 'README.md', *sorted((ROOT / 'docs/source').rglob('*.md'))]
EXAMPLES = sorted((ROOT / 'examples').glob('*.py'))

#: Lines that are not run here, and why.
NOT_RUN = {
    'make demo': 'it installs system packages; run by the job `demo` of the workflow ci',
    'make test': 'it contains this test; run by .ci/run',
}

#: Documents that other tests run.
RUN_ELSEWHERE = {ROOT / 'docs/source/howto/cluster.md': 'tests/stack, which has a cluster'}

#: What a block may be; every other language would be a way around the execution.
EXECUTED = ('bash', 'python')
SHOWN = ('text', 'yaml', 'mermaid')


def blocks(document: Path) -> list[tuple[str, str]]:
    """Return (language, content) of the fenced blocks of a document, without those that are Sphinx directives."""
    tokens = MarkdownIt().parse(document.read_text(encoding='utf-8'))
    fences = [(token.info.strip(), token.content) for token in tokens if token.type in {'fence', 'code_block'}]
    return [(info, content) for info, content in fences if not info.startswith('{')]


def script_of(document: Path) -> str:
    """Return the shell script that a document is."""
    parts = []
    for language, content in blocks(document):
        if language == 'bash':
            parts.extend(line for line in content.splitlines() if line.strip() not in NOT_RUN)
        elif language == 'python':
            parts.append(f"python - <<'END_OF_BLOCK'\n{content}END_OF_BLOCK")
    return '\n'.join(parts)


@pytest.fixture(scope='session')
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Return the environment of a user who has run ``aiida-foundry setup``; stop the daemon that a document started."""
    folder, tools = tmp_path_factory.mktemp('aiida'), tmp_path_factory.mktemp('tools')
    environment = os.environ | {
        'AIIDA_PATH': str(folder),
        'OMP_NUM_THREADS': '1',
        'PATH': os.pathsep.join([str(Path(sys.executable).parent), str(tools), os.environ['PATH']]),
        'UV_TOOL_BIN_DIR': str(tools),
        'UV_TOOL_DIR': str(tools / 'environments'),
    }
    subprocess.run(['aiida-foundry', 'setup'], check=True, env=environment, stdin=subprocess.DEVNULL)
    yield environment
    if list(folder.glob('.aiida/daemon/*.pid')):
        subprocess.run(['verdi', 'daemon', 'stop'], check=True, env=environment)


def execute(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder that has ``examples/``; its output is shown when the test fails."""
    shutil.copytree(ROOT / 'examples', folder / 'examples')
    done = subprocess.run(
        command, cwd=folder, env=environment, check=False, text=True, capture_output=True, stdin=subprocess.DEVNULL
    )
    print(done.stdout, done.stderr, sep='\n')
    return done


def name(path: Path) -> str:
    """Return the path relative to the repository."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize('document', DOCUMENTS, ids=name)
def test_languages(document):
    languages = {language for language, _ in blocks(document)}
    assert languages <= {*EXECUTED, *SHOWN}


def test_lines_not_run_are_documented():
    lines = {line.strip() for document in DOCUMENTS for _, content in blocks(document) for line in content.splitlines()}
    assert NOT_RUN.keys() <= lines
    assert set(DOCUMENTS) >= RUN_ELSEWHERE.keys()


@pytest.mark.engine
@pytest.mark.parametrize(
    'document',
    [document for document in DOCUMENTS if script_of(document).strip() and document not in RUN_ELSEWHERE],
    ids=name,
)
def test_document(document, tmp_path, environment):
    done = execute(['bash', '-euxo', 'pipefail', '-c', script_of(document)], tmp_path, environment)
    assert done.returncode == 0


@pytest.mark.engine
@pytest.mark.parametrize('example', EXAMPLES, ids=name)
def test_example(example, tmp_path, environment):
    done = execute([sys.executable, str(example)], tmp_path, environment)
    assert done.returncode == 0
