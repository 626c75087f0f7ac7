"""Which frames reach the LLM, as a figure."""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from funasr_preflight.laws.geometry import ENCODER_FRAME_SECONDS
from helpers.training.speech_tokens import Flow


def flow_figure(flow: Flow) -> Figure:
    """The gradient's size over the utterance, at the adaptor's output and at its input."""
    figure, axes = plt.subplots(2, 1, figsize=(7, 4.2), sharex=True, layout="constrained")
    seconds = np.arange(flow.frames) * ENCODER_FRAME_SECONDS
    for axis, norms, title in ((axes[0], flow.into_llm, "at the adaptor's output"),
                               (axes[1], flow.into_adaptor, "at the encoder's output")):
        axis.bar(seconds, norms / norms.max(), width=ENCODER_FRAME_SECONDS, align="edge",
                 color="#0072b2")
        axis.axvline(flow.tokens * ENCODER_FRAME_SECONDS, color="#d55e00", linewidth=1.5)
        axis.set_title(title, loc="left")
        axis.set_ylabel("gradient,\nlargest = 1")
    axes[0].annotate("the LLM's copy ends here", color="#d55e00", xycoords="axes fraction",
                     xy=(flow.tokens / flow.frames + 0.02, 0.8))
    axes[1].set_xlabel("frame of the utterance, s")
    return figure
