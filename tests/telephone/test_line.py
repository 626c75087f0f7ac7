"""What is known of a telephone line, measured on what the channel gives: bands, levels, packets."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.telephone import channel, line_noise, packet_loss

RATE = 8_000


def tone(hertz: float, rate: int = RATE, seconds: float = 2.0) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate).astype("f4")


def decibels(samples: np.ndarray) -> float:
    """Level of the second half, when a filter has come to rest."""
    return 20 * np.log10(np.sqrt(np.mean(samples[len(samples) // 2:] ** 2)))


@pytest.mark.parametrize("edge", [300, 3400])
def test_half_the_power_passes_at_the_edges_of_the_band(edge: int) -> None:
    """ITU-T G.712's band; a Butterworth filter lets half the power pass at the edges it is for."""
    assert decibels(channel.line_band(tone(edge))) - decibels(tone(edge)) == pytest.approx(
        -3.01, abs=0.1)
    outside = edge / 1.3 if edge < 1000 else edge * 1.1
    assert decibels(channel.line_band(tone(outside))) - decibels(tone(outside)) < -9


@pytest.mark.parametrize("hertz", [4600, 5500, 7900])
def test_nothing_above_4_khz_comes_back_below_it(hertz: int) -> None:
    """Sampling at 8 kHz folds 4.6 kHz onto 3.4 kHz, unless it is filtered out before."""
    assert decibels(channel.to_8khz(tone(hertz, 16_000), 16_000)) < decibels(tone(hertz)) - 40


def test_a_packet_is_twenty_milliseconds_and_each_repetition_half_as_loud() -> None:
    """RFC 3551's default packet; half the amplitude is 6.02 dB less, packet after packet."""
    packet = RATE // 50
    sent = tone(500)
    lost = packet_loss.lost_packets(len(sent) // packet, 0.3, 4, seed=1)
    heard = packet_loss.drop_packets(sent, RATE, 0.3, 4, seed=1, concealment="repeat")
    levels = 20 * np.log10(np.sqrt(np.mean(heard.reshape(-1, packet) ** 2, 1)))
    runs = [number for number in range(3, len(lost)) if lost[number - 2:number + 1].all()]
    assert runs
    for number in runs:
        assert levels[number] - levels[number - 1] == pytest.approx(-6.02, abs=0.01)


def test_quiet_sounds_of_speech_are_no_pause() -> None:
    """The sounds of speech lie within 30 dB of each other (ANSI S3.5); a pause lies below."""
    quiet = tone(500) * 10 ** (-30 / 20)
    call = np.concatenate([tone(500), quiet, tone(500) * 10 ** (-50 / 20)])
    filled = line_noise.comfort_noise(call, RATE)
    assert (filled[:2 * len(quiet)] == call[:2 * len(quiet)]).all()
    assert (filled[2 * len(quiet):] != call[2 * len(quiet):]).all()


def test_a_pause_does_not_lower_the_level_of_the_speech() -> None:
    """ITU-T P.56 measures active speech: a call that is half silence is as loud as its speech."""
    paused = np.concatenate([tone(500), np.zeros(2 * RATE, "f4")])
    assert line_noise.active_level(paused, RATE) == pytest.approx(0.3 / 2 ** 0.5, rel=1e-3)
