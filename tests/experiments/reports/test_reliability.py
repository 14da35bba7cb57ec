from __future__ import annotations

import numpy as np
import pytest

from bioner_tf.experiments.reports.reliability import draw_reliability
from bioner_tf.scoring.calibration import calibrate

PNG = b"\x89PNG"


@pytest.mark.parametrize("entities", [0, 50])
def test_draws_a_picture(tmp_path, entities):
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(1)
    calibration = calibrate(rng.random(entities), rng.random(entities) < 0.5)
    path = tmp_path / "new" / "genes.test.png"
    draw_reliability(path, calibration, "genes, test")
    first = path.read_bytes()
    assert first.startswith(PNG)
    draw_reliability(path, calibration, "genes, test")
    assert path.read_bytes() == first
