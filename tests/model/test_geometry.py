"""How long a frame is: FunASR's frontend is asked, and every module agrees."""

from __future__ import annotations

import pytest
import torch

from helpers.model import ctc, mel, spec_augment


@pytest.mark.parametrize(("stacked", "seconds"), [(False, 0.01), (True, 0.06)])
def test_so_many_frames_are_a_minute(stacked: bool, seconds: float) -> None:
    front = mel.frontend("pretrained", stacked)
    samples = torch.zeros(1, 60 * front.fs)
    _, lengths = front(samples, torch.tensor([samples.shape[1]]))
    assert int(lengths) == pytest.approx(60 / seconds, abs=2)
    stated = (ctc.FRAME_SECONDS, spec_augment.LFR_SECONDS) if stacked else (
        spec_augment.FRAME_SECONDS,)
    assert stated == pytest.approx((seconds,) * len(stated))
