"""The claims of docs/source/topics/security.md that no other test covers."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from aiida.orm.utils.serialize import AiiDALoader

from aiida_foundry.cli.options import parse_overrides
from aiida_foundry.common.errors import InputError

ROOT = Path(__file__).parents[1]
SOURCES = [*sorted((ROOT / 'src').rglob('*.py')), *sorted((ROOT / 'workchains').rglob('*.py'))]
#: What would run code that lies in a file, or let a shell interpret a name.
FORBIDDEN = {
    'yaml.load',
    'yaml.full_load',
    'yaml.unsafe_load',
    'pickle.load',
    'pickle.loads',
    'dill.load',
    'joblib.load',
    'marshal.loads',
    'shelve.open',
    'pandas.read_pickle',
    'os.system',
    'os.popen',
    'subprocess.getoutput',
    'subprocess.getstatusoutput',
    'eval',
    'exec',
}


def dangerous(tree: ast.AST) -> list[str]:
    """Return the calls that the security notes rule out."""
    found = []
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func)
        options = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        if (
            name in FORBIDDEN
            or options.get('shell') == 'True'
            or options.get('allow_pickle') == 'True'
            or (name == 'torch.load' and options.get('weights_only') != 'True')
        ):
            found.append(f'{name} in line {call.lineno}')
    return found


@pytest.mark.parametrize('path', SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_runs_code_and_no_shell_sees_a_name(path):
    text = path.read_text(encoding='utf-8')
    assert dangerous(ast.parse(text)) == []
    assert '0.0.0.0' not in text  # noqa: S104  (the test is that nothing binds to it)


@pytest.mark.parametrize(
    'code',
    [
        'yaml.load(text)',
        'torch.load(path)',
        'torch.load(path, weights_only=False)',
        'numpy.load(path, allow_pickle=True)',
        'subprocess.run(command, shell=True)',
        'eval(text)',
    ],
)
def test_dangerous_calls_are_recognised(code):
    assert dangerous(ast.parse(code))


def test_overrides_are_data():
    with pytest.raises(InputError, match='its value is not YAML'):
        parse_overrides(['parameters.bands=!!python/object/apply:os.getcwd []'])


def test_checkpoints_are_code():
    """Why an archive with checkpoints is refused: AiiDA's loader makes any Python object."""
    import yaml

    text = '!!python/object/apply:os.getcwd []'
    assert yaml.load(text, AiiDALoader) == str(Path.cwd())  # noqa: S506


@pytest.mark.engine
def test_daemon_and_broker_listen_on_loopback_only(tmp_path):
    environment = os.environ | {
        'AIIDA_PATH': str(tmp_path),
        'PATH': f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}',
    }
    setup = 'from aiida_foundry.setup.profile import ensure_profile; ensure_profile()'
    subprocess.run([sys.executable, '-c', setup], check=True, env=environment)
    subprocess.run(['verdi', 'daemon', 'start', '1'], check=True, env=environment, capture_output=True)
    try:
        ours = [process for process in psutil.process_iter() if str(tmp_path) in process_environment(process)]
        connections = [connection for process in ours for connection in process.net_connections('inet')]
        names = ' '.join(' '.join(process.cmdline()) for process in ours)
    finally:
        subprocess.run(['verdi', 'daemon', 'stop'], check=True, env=environment, capture_output=True)
    assert 'daemon worker' in names
    listening = {connection.laddr.ip for connection in connections if connection.status == psutil.CONN_LISTEN}
    assert listening <= {'127.0.0.1', '::1'}


def process_environment(process: psutil.Process) -> str:
    try:
        return process.environ().get('AIIDA_PATH', '')
    except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
        return ''
