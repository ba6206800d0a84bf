"""A campaign file is refused for anything that it does not mean."""

from __future__ import annotations

import pytest

from aiida_foundry.common.errors import InputError
from aiida_foundry.screening.campaign_file import Retry, check_campaign, read_campaign_file

GOOD = {'name': 'a', 'workflow': 'foundry.gw.gap', 'structures': {'names': ['Si']}}


@pytest.mark.parametrize(
    ('change', 'complaint'),
    [
        ({'name': 'a b'}, '`name`'),
        ({'name': '../a'}, '`name`'),
        ({'protocl': 'fast'}, '`protocl`: Extra inputs'),
        ({'structures': {}}, 'exactly one'),
        ({'structures': {'group': 'a', 'folder': 'b'}}, 'exactly one'),
        ({'limits': {'running': 0}}, '`limits.running`'),
        ({'retry': {'exit_codes': ['30x']}}, 'no exit codes'),
        ({'max_failed_fraction': 1.5}, '`max_failed_fraction`'),
        ({'clean': 'sometimes'}, '`clean`'),
    ],
)
def test_refused(change, complaint):
    with pytest.raises(InputError, match=complaint):
        check_campaign(GOOD | change)


def test_folder_is_relative_to_the_file(tmp_path):
    path = tmp_path / 'campaign.yaml'
    path.write_text('{name: a, workflow: b, structures: {folder: cifs}}')
    assert read_campaign_file(path).structures.folder == str(tmp_path / 'cifs')


@pytest.mark.parametrize('content', ['[1, 2]', 'a: [', '!!python/object/apply:os.getcwd []'])
def test_no_campaign_file(tmp_path, content):
    path = tmp_path / 'campaign.yaml'
    path.write_text(content)
    with pytest.raises(InputError, match=r'campaign\.yaml'):
        read_campaign_file(path)


@pytest.mark.parametrize(('status', 'covered'), [(305, True), (400, False), (401, True), (501, False)])
def test_exit_codes(status, covered):
    assert Retry(exit_codes=('3xx', 401)).covers(status) is covered
