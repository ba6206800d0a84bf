from __future__ import annotations

import numpy as np

from aiida_foundry.analysis.koopmans.checkpoint import Checkpoint


def test_values_survive(tmp_path):
    folder = tmp_path / 'checkpoint'
    Checkpoint(folder, 'a').write(3, [0, 4], np.array([[1.0, 0.5], [2.0, 0.25]]))
    again = Checkpoint(folder, 'a')
    assert again.holds(3, [0, 4])
    assert not again.holds(3, [0, 1])
    assert not again.holds(2, [0])
    assert again.value(3, 4).tolist() == [2.0, 0.25]


def test_values_of_another_calculation_are_not_used(tmp_path):
    Checkpoint(tmp_path / 'c', 'a').write(0, [0], np.ones((1, 2)))
    assert not Checkpoint(tmp_path / 'c', 'b').holds(0, [0])


def test_file_that_was_not_finished_is_ignored(tmp_path):
    """The file is renamed when it is whole: what a killed run leaves behind has another name."""
    Checkpoint(tmp_path / 'c', 'a').write(0, [0], np.ones((1, 2)))
    (tmp_path / 'c' / 'q00001.tmp').write_bytes(b'half')
    assert Checkpoint(tmp_path / 'c', 'a').holds(0, [0])
