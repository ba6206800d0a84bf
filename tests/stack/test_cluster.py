"""The page that leads to a cluster, and what it leaves."""

from __future__ import annotations

import psutil

JOBS = """
query = orm.QueryBuilder().append(orm.WorkChainNode, filters={'description': 'campaign energies'}, tag='base')
query.append(orm.CalcJobNode, with_incoming='base', tag='job', project='*')
query.append(orm.Dict, with_incoming='job', edge_filters={'label': 'output_parameters'}, project='attributes.energy')
rows = [(job.computer.label, job.get_job_id(), job.exit_status, energy) for job, energy in query.all()]
print(json.dumps(rows))
"""


def test_every_command_of_the_page_runs(document):
    assert document.returncode == 0


def test_campaign_ran_through_slurm(user, document):
    jobs = user.python(JOBS)
    assert len(jobs) == 8
    assert {(computer, status) for computer, _, status, _ in jobs} == {('cluster', 0)}
    assert len({number for _, number, _, _ in jobs}) == 8
    assert len({round(energy, 3) for *_, energy in jobs}) == 8


def test_work_folders_are_removed(user, document):
    assert not [path for path in (user.stack.folder / 'work').rglob('*') if path.is_file()]


def test_nothing_listens_to_others(user, daemon):
    ours = {process.pid for process in psutil.Process().children(recursive=True)}
    ours |= {process.pid for process in (user.supervisor(), *user.supervisor().children(recursive=True))}
    listening = [one for one in psutil.net_connections('inet') if one.status == 'LISTEN' and one.pid in ours]
    ports = {one.laddr.port for one in listening}
    assert set(user.stack.ports.values()) <= ports
    assert {one.laddr.ip for one in listening} <= {'127.0.0.1', '::1'}
