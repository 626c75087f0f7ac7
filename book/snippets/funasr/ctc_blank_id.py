"""ctc_conf.blank_id is read, and then given to the CTC class a second time."""

import sys
import tempfile

from funasr.models.fun_asr_nano.model import FunASRNano
from transformers import Qwen3Config

small = {"encoder_dim": 16, "ffn_dim": 16, "n_layer": 1, "attention_heads": 2, "llm_dim": 16}
with tempfile.TemporaryDirectory() as folder:
    Qwen3Config(vocab_size=32, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                num_attention_heads=2, num_key_value_heads=2, head_dim=8).save_pretrained(folder)
    try:
        FunASRNano(input_size=560, audio_encoder="SenseVoiceEncoderSmall", audio_encoder_conf={
            "output_size": 16, "attention_heads": 2, "num_blocks": 1},
            audio_adaptor="Transformer", audio_adaptor_conf=dict(small), ctc_vocab_size=9,
            ctc_decoder="Transformer", ctc_decoder_conf=dict(small), ctc_tokenizer="any",
            ctc_tokenizer_conf=None, ctc_conf={"blank_id": 0},
            llm_conf={"init_param_path": folder})
    except TypeError as error:
        print(f"ctc_conf.blank_id: 0 ends in TypeError: {error}")
        sys.exit(0)
sys.exit(1)
