"""A misspelt key is accepted in silence; so is `train_conf.use_lora`, which nothing reads."""

import sys
import tempfile

from funasr.frontends.wav_frontend import WavFrontend
from funasr.models.sense_voice.model import SenseVoiceEncoderSmall
from funasr.train_utils.trainer_ds import Trainer

silent = []
for section, build in {
        "frontend_conf.frame_lenght": lambda: WavFrontend(frame_lenght=25),
        "audio_encoder_conf.num_bloks": lambda: SenseVoiceEncoderSmall(560, 8, 2, num_bloks=2),
        "train_conf.use_lora": lambda: Trainer(
            output_dir=tempfile.mkdtemp(), device="cpu", use_lora=True)}.items():
    try:
        build()
        silent.append(section)
    except TypeError:
        pass
print(f"accepted without a word: {', '.join(silent) or 'nothing'}")
sys.exit(0 if silent else 1)
