"""A process and its children run in this interpreter, end at once, and die with it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from aiida.calculations.arithmetic.add import ArithmeticAddCalculation
from aiida.engine import ToContext, WorkChain
from aiida.orm import Int
from aiida.plugins import WorkflowFactory
from rich.console import Console

from aiida_foundry.cli.progress import Progress, calculation_steps
from aiida_foundry.screening.runner import run_blocking


@pytest.fixture
def bash(aiida_code_installed, aiida_localhost):
    aiida_localhost.set_minimum_job_poll_interval(0)
    return aiida_code_installed(
        default_calc_job_plugin='core.arithmetic.add', filepath_executable='/bin/bash', computer=aiida_localhost
    )


class TwoSumsWorkChain(WorkChain):
    """Runs two additions at once; nested in itself it makes a grandchild."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input('code')
        spec.input('sleep', valid_type=Int)
        spec.input('nested', valid_type=Int, default=lambda: Int(0))
        spec.outline(cls.run_sums, cls.inspect_sums)
        spec.output('sum', valid_type=Int)
        spec.exit_code(400, 'ERROR_NEGATIVE', message='The sum is negative.')

    def run_sums(self):
        if self.inputs.nested.value:
            inputs = {'code': self.inputs.code, 'sleep': self.inputs.sleep, 'metadata': {'call_link_label': 'inner'}}
            return ToContext(inner=self.submit(TwoSumsWorkChain, **inputs))
        options = {'sleep': self.inputs.sleep.value} if self.inputs.sleep.value > 0 else {}
        for label in ('first', 'second'):
            metadata = {'call_link_label': label, 'options': options}
            inputs = {'code': self.inputs.code, 'x': Int(1), 'y': Int(self.inputs.sleep.value), 'metadata': metadata}
            self.to_context(**{label: self.submit(ArithmeticAddCalculation, **inputs)})
        return None

    def inspect_sums(self):
        if self.inputs.nested.value:
            if not self.ctx.inner.is_finished_ok:
                return self.exit_codes.ERROR_NEGATIVE
            self.out('sum', self.ctx.inner.outputs.sum)
            return None
        if not self.ctx.first.is_finished_ok:
            return self.exit_codes.ERROR_NEGATIVE
        self.out('sum', self.ctx.first.outputs.sum)
        return None


def builder(code, sleep: int = 0, nested: int = 0):
    builder = TwoSumsWorkChain.get_builder()
    builder.code = code
    builder.sleep = Int(sleep)
    builder.nested = Int(nested)
    return builder


def test_workchain_of_aiida(bash):
    multiply_add = WorkflowFactory('core.arithmetic.multiply_add').get_builder()
    multiply_add.code = bash
    multiply_add.x, multiply_add.y, multiply_add.z = Int(2), Int(3), Int(4)
    node = run_blocking(multiply_add, lambda runner: None)
    assert node.is_finished_ok
    assert node.outputs.result.value == 10


def test_steps_are_named_by_their_path(bash):
    seen = []
    node = run_blocking(builder(bash, nested=1), lambda runner: seen.append(calculation_steps(runner)))
    assert node.outputs.sum.value == 1
    assert [step.name for step in seen[-1]] == ['inner / first', 'inner / second']
    assert {step.state for step in seen[-1]} == {'finished'}
    assert all(step.seconds > 0 for step in seen[-1])


def test_failure_of_a_child_reaches_the_parent(bash):
    node = run_blocking(builder(bash, sleep=-5, nested=1), lambda runner: None)
    assert node.exit_status == 400
    inner = node.called[0]
    assert [child.exit_status for child in inner.called] == [410, 410]


def test_progress_for_a_pipe_appends_lines(bash, capsys):
    console = Console(force_terminal=False, width=120, highlight=False)
    with Progress(console).display() as progress:
        node = run_blocking(builder(bash), progress)
    first, second = sorted(child.pk for child in node.called)
    words = [line.split(maxsplit=2)[2] for line in capsys.readouterr().out.splitlines()]
    assert words[:2] == [f'first ({first}) started', f'second ({second}) started']
    assert sum('finished in' in line for line in words) == 2
    assert len(words) == 4


def test_progress_on_a_terminal_shows_the_last_state(bash, capsys):
    console = Console(force_terminal=True, width=120)
    with Progress(console).display() as progress:
        node = run_blocking(builder(bash), progress)
    output = capsys.readouterr().out
    assert '2 of 2 started steps ended' in output
    assert f'PK {node.called[0].pk}' in output


def job_is_alive(node) -> bool:
    """Tell whether the shell that runs the job of a calculation, or what it started, is in its folder."""
    folder = Path(node.get_remote_workdir()).resolve()
    return any(working_directory(process) == folder for process in Path('/proc').glob('[0-9]*'))


def working_directory(process: Path) -> Path | None:
    try:
        return (process / 'cwd').readlink()
    except OSError:
        return None


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_interruption_kills_everything(bash, number):
    """Ctrl-C while two jobs sleep: all processes are killed and nothing is left running on the computer."""
    sent = []

    def interrupt(runner):
        jobs = [step.pk for step in calculation_steps(runner)]
        running = jobs and all(runner.timed[pk].process.node.get_job_id() for pk in jobs)
        if running and not sent:
            assert all(job_is_alive(runner.timed[pk].process.node) for pk in jobs)
            sent.append(os.kill(os.getpid(), number))

    node = run_blocking(builder(bash, sleep=60, nested=1), interrupt)
    assert sent
    assert node.is_killed
    processes = list(node.called_descendants)
    assert len(processes) == 3
    assert all(process.is_killed for process in processes)
    deadline = time.monotonic() + 10
    while any(job_is_alive(job) for job in node.called[0].called) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(job_is_alive(job) for job in node.called[0].called)
    assert signal.getsignal(number) in {signal.default_int_handler, signal.SIG_DFL}


def test_paused_process_is_killed_with_the_reason(bash, aiida_config, tmp_path):
    """A computer that takes no files makes AiiDA pause the job for somebody to resume: here nobody could."""
    aiida_config.set_option('transport.task_maximum_attempts', 1)
    workdir = bash.computer.get_workdir()
    blocked = tmp_path / 'file'
    blocked.touch()
    bash.computer.set_workdir(str(blocked / 'work'))
    try:
        node = run_blocking(builder(bash), lambda runner: None)
    finally:  # the computer is that of other tests, too
        bash.computer.set_workdir(workdir)
        aiida_config.unset_option('transport.task_maximum_attempts')
    assert node.is_killed
    assert 'was paused' in node.process_status
