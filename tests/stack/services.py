"""PostgreSQL, RabbitMQ and a Slurm cluster behind SSH, of Debian's packages, on the loopback interface.

Everything runs as the user who starts it, with configuration, data and keys in one folder, and ends with the context;
nothing of the system is changed. PostgreSQL refuses to be root: there it runs as the user ``postgres``.

``python tests/stack/services.py`` starts them for trying by hand and prints the environment that leads to them.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

LOOPBACK = '127.0.0.1'
HOST = 'cluster'
"""Name by which SSH knows the cluster."""

CORES = 4
"""Cores that Slurm believes in: enough for two jobs to run at once on any machine."""

RABBITMQ = Path('/usr/lib/rabbitmq/bin/rabbitmq-server')
SECONDS = 60.0


@dataclass
class Stack:
    """What runs where.

    Args:
        folder: of everything.
        password: of the user ``aiida`` of PostgreSQL and RabbitMQ.
        ports: by name of the service.
        processes: by name of the service.
    """

    folder: Path
    password: str
    ports: Mapping[str, int]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Variables of a user whose home folder is in the folder of the stack, so that SSH finds its keys there."""
        cache = os.environ.get('XDG_CACHE_HOME') or str(Path.home() / '.cache')
        return {
            'HOME': str(self.folder / 'home'),
            'AIIDA_PATH': str(self.folder / 'home'),
            'XDG_CACHE_HOME': cache,
            'OMP_NUM_THREADS': '1',
            'PGHOST': LOOPBACK,
            'PGPORT': str(self.ports['postgres']),
            'PGUSER': 'postgres',
            'PGPASSWORD': self.password,
            'SLURM_CONF': str(self.folder / 'slurm' / 'slurm.conf'),
        }

    def start(self, name: str, command: list[str], user: str | None = None, **variables: str) -> None:
        """Start a server in the foreground; its output goes to a file."""
        environment = os.environ | {'HOME': str(self.folder / 'home')} | variables
        with (self.folder / 'logs' / f'{name}.log').open('ab') as log:
            self.processes[name] = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=user, cwd=self.folder
            )

    def wait(self, name: str, ready: Callable[[], bool]) -> None:
        """Wait until a server answers.

        Raises:
            RuntimeError: if it ended, or does not answer in time; with the end of what it wrote.
        """
        end = time.monotonic() + SECONDS
        while not ready():
            if self.processes[name].poll() is not None or time.monotonic() > end:
                log = (self.folder / 'logs' / f'{name}.log').read_text(errors='replace')
                raise RuntimeError(f'{name} does not run:\n{log[-3000:]}')
            time.sleep(0.05)

    def wait_for_port(self, name: str) -> None:
        """Wait until a server accepts connections."""
        self.wait(name, lambda: _is_open(self.ports[name]))

    def stop(self, *names: str) -> None:
        """End these servers, or all, the last one first."""
        for name in names or tuple(reversed(self.processes)):
            process = self.processes.pop(name)
            # PostgreSQL: SIGTERM waits for its clients to leave, SIGINT ends their sessions
            process.send_signal(signal.SIGINT if name == 'postgres' else signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def running_stack() -> Iterator[Stack]:
    """Start all services; stop them and remove their folder in the end, also when Ctrl-C or SIGTERM is the end."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the former is ignored in the background of a shell script
        signal.signal(number, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix='stack-'))
    folder.chmod(0o755)  # the user of PostgreSQL passes through; `munged` wants no folder that others may change
    for name in ('home', 'logs', 'bin', 'work'):
        (folder / name).mkdir(mode=0o755)
    names = ('postgres', 'rabbitmq', 'epmd', 'distribution', 'slurmctld', 'slurmd', 'sshd')
    stack = Stack(folder, secrets.token_hex(16), dict(zip(names, _free_ports(len(names)), strict=True)))
    try:
        for start in (_postgres, _rabbitmq, _munge, _slurm, _sshd):
            start(stack)
        stack.wait_for_port('rabbitmq')  # started early, since it takes longest
        yield stack
    finally:
        stack.stop()
        for process in psutil.process_iter(['cmdline']):  # helpers of a daemon of AiiDA that was killed
            if str(folder) in ' '.join(process.info['cmdline'] or ()):
                process.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _postgres(stack: Stack) -> None:
    """A server with the user ``postgres`` as administrator."""
    folder, user = stack.folder / 'postgres', 'postgres' if os.geteuid() == 0 else None
    folder.mkdir(mode=0o700)
    password = folder / 'password'
    password.write_text(stack.password)
    if user:
        for path in (folder, password):
            shutil.chown(path, user)
    bin_ = max(Path('/usr/lib/postgresql').glob('*/bin'), key=lambda path: int(path.parent.name))
    initdb = [str(bin_ / 'initdb'), '--username=postgres', '--auth=scram-sha-256', f'--pwfile={password}']
    initdb += ['--encoding=UTF8', '--locale=C.UTF-8', str(folder / 'data')]
    subprocess.run(initdb, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)
    settings = {'listen_addresses': LOOPBACK, 'port': stack.ports['postgres'], 'unix_socket_directories': ''}
    options = [item for key, value in settings.items() for item in ('-c', f'{key}={value}')]
    stack.start('postgres', [str(bin_ / 'postgres'), '-D', str(folder / 'data'), *options], user=user)
    stack.wait_for_port('postgres')


def _rabbitmq(stack: Stack) -> None:
    """A server with the user ``aiida``; Erlang's name server and the port for clusters listen on loopback too."""
    folder = stack.folder / 'rabbitmq'
    folder.mkdir()
    (folder / 'plugins').write_text('[].\n')
    # a task of AiiDA is answered when its process has ended: the default time limit of 30 min would send it again
    (folder / 'rabbitmq.conf').write_text(f"""\
listeners.tcp.1 = {LOOPBACK}:{stack.ports['rabbitmq']}
default_user = aiida
default_pass = {stack.password}
consumer_timeout = 31622400000
disk_free_limit.absolute = 50MB
log.console = true
""")
    (folder / 'rabbitmq.conf').chmod(0o600)
    epmd = ['epmd', '-address', LOOPBACK, '-port', str(stack.ports['epmd'])]
    stack.start('epmd', epmd)
    stack.wait_for_port('epmd')
    variables = {
        'RABBITMQ_NODENAME': 'stack@localhost',
        'RABBITMQ_CONF_ENV_FILE': os.devnull,
        'RABBITMQ_CONFIG_FILE': str(folder / 'rabbitmq.conf'),
        'RABBITMQ_ENABLED_PLUGINS_FILE': str(folder / 'plugins'),
        'RABBITMQ_MNESIA_BASE': str(folder / 'data'),
        'RABBITMQ_LOG_BASE': str(stack.folder / 'logs'),
        'RABBITMQ_PID_FILE': str(folder / 'pid'),
        'RABBITMQ_DIST_PORT': str(stack.ports['distribution']),
        'RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS': '-kernel inet_dist_use_interface {127,0,0,1}',
        'ERL_EPMD_ADDRESS': LOOPBACK,
        'ERL_EPMD_PORT': str(stack.ports['epmd']),
    }
    stack.start('rabbitmq', [str(RABBITMQ)], **variables)


def _munge(stack: Stack) -> None:
    """The service by which the parts of Slurm know each other."""
    folder = stack.folder / 'munge'
    folder.mkdir(mode=0o755)
    key = folder / 'key'
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    names = {'key-file': key, 'socket': folder / 'socket', 'pid-file': folder / 'pid', 'seed-file': folder / 'seed'}
    options = [f'--{name}={path}' for name, path in names.items()] + [f'--log-file={folder / "log"}']
    stack.start('munge', ['/usr/sbin/munged', '--foreground', '--num-threads=2', *options])
    stack.wait('munge', (folder / 'socket').exists)


def _slurm(stack: Stack) -> None:
    """A controller and one node. Its settings need neither cgroups nor systemd."""
    folder, user = stack.folder / 'slurm', getpass.getuser()
    for name in ('state', 'spool'):
        (folder / name).mkdir(parents=True)
    configuration = folder / 'slurm.conf'
    configuration.write_text(f"""\
ClusterName=stack
SlurmctldHost={socket.gethostname().split('.')[0]}({LOOPBACK})
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={stack.folder / 'munge' / 'socket'}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPort={stack.ports['slurmctld']}
SlurmdPort={stack.ports['slurmd']}
StateSaveLocation={folder / 'state'}
SlurmdSpoolDir={folder / 'spool'}
SlurmctldPidFile={folder / 'slurmctld.pid'}
SlurmdPidFile={folder / 'slurmd.pid'}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=pmix
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=5
SlurmdParameters=config_overrides
ReturnToService=2
NodeName=node NodeAddr={LOOPBACK} CPUs={CORES} State=UNKNOWN
PartitionName=main Nodes=node Default=YES MaxTime=INFINITE State=UP
""")
    variables = {'SLURM_CONF': str(configuration)}
    stack.start('slurmctld', ['/usr/sbin/slurmctld', '-D', '-f', str(configuration)], **variables)
    stack.start('slurmd', ['/usr/sbin/slurmd', '-D', '-N', 'node', '-f', str(configuration)], **variables)
    environment = os.environ | variables
    state = ['sinfo', '--noheader', '--format=%t']
    stack.wait('slurmd', lambda: _output(state, environment).strip() == 'idle')


def _sshd(stack: Stack) -> None:
    """The login node: a server with a key of its own, and a client that knows it."""
    folder, home = stack.folder / 'sshd', stack.folder / 'home' / '.ssh'
    folder.mkdir(mode=0o700)
    home.mkdir(mode=0o700)
    if os.geteuid() == 0:
        Path('/run/sshd').mkdir(mode=0o755, exist_ok=True)
    for key in (folder / 'host_key', home / 'id_ed25519'):
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', str(key)], check=True)
    public = (folder / 'host_key.pub').read_text()
    (home / 'known_hosts').write_text(f'[{LOOPBACK}]:{stack.ports["sshd"]} {public}')
    path = f'{stack.folder / "bin"}:{os.environ["PATH"]}'
    (folder / 'sshd_config').write_text(f"""\
Port {stack.ports['sshd']}
ListenAddress {LOOPBACK}
HostKey {folder / 'host_key'}
PidFile none
AuthorizedKeysFile {home / 'id_ed25519.pub'}
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PrintMotd no
AllowUsers {getpass.getuser()}
MaxStartups 100
Subsystem sftp internal-sftp
SetEnv "PATH={path}" "SLURM_CONF={stack.folder / 'slurm' / 'slurm.conf'}"
""")
    (home / 'config').write_text(f"""\
Host {HOST}
  HostName {LOOPBACK}
  Port {stack.ports['sshd']}
  User {getpass.getuser()}
  IdentityFile {home / 'id_ed25519'}
  UserKnownHostsFile {home / 'known_hosts'}
""")
    start_sshd(stack)


def start_sshd(stack: Stack) -> None:
    """Start the server of the login node, for the first time or again."""
    stack.start('sshd', ['/usr/sbin/sshd', '-D', '-e', '-f', str(stack.folder / 'sshd' / 'sshd_config')])
    stack.wait_for_port('sshd')


def _free_ports(number: int) -> list[int]:
    """Return ports of the loopback interface that nobody has, all of which are different."""
    with contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind((LOOPBACK, 0))
        return [one.getsockname()[1] for one in sockets]


def _is_open(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex((LOOPBACK, port)) == 0


def _output(command: list[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.stdout


def main() -> None:
    """Run the services until interrupted."""
    with contextlib.suppress(KeyboardInterrupt), running_stack() as stack:
        for name, value in stack.environment.items():
            print(f'export {name}={shlex.quote(value)}')
        print(f'# password of `aiida` and `postgres`: {stack.password}; RabbitMQ: port {stack.ports["rabbitmq"]}')
        print('# Ctrl-C ends all', flush=True)
        signal.pause()


if __name__ == '__main__':
    main()
