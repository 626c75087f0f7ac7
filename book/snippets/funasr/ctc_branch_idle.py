"""The CTC branch of FunASRNano is built, and nothing of it reaches the training loss."""

import sys
import tempfile

import torch
from funasr.models.fun_asr_nano.model import FunASRNano
from transformers import Qwen3Config

small = {"encoder_dim": 16, "ffn_dim": 16, "n_layer": 1, "attention_heads": 2, "llm_dim": 16}
with tempfile.TemporaryDirectory() as folder:
    Qwen3Config(vocab_size=32, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                num_attention_heads=2, num_key_value_heads=2, head_dim=8).save_pretrained(folder)
    model = FunASRNano(
        input_size=560, audio_encoder="SenseVoiceEncoderSmall", audio_encoder_conf={
            "output_size": 16, "attention_heads": 2, "num_blocks": 1, "freeze": False},
        audio_adaptor="Transformer", audio_adaptor_conf=dict(small), ctc_decoder="Transformer",
        ctc_decoder_conf=dict(small), ctc_vocab_size=9, ctc_weight=0.3, ctc_tokenizer="any",
        ctc_tokenizer_conf=None, llm_conf={"init_param_path": folder})
ids = torch.ones(1, 12, dtype=torch.long)
model(torch.ones(1, 24, 560), torch.tensor([24]), ids, ids.clone(), ids.clone(),
      torch.tensor([[2]]), fake_token_len=torch.tensor([[3]]))[0].backward()
idle = {name.split(".")[0] for name, part in model.named_parameters()
        if part.requires_grad and part.grad is None}
print(f"ctc_weight: 0.3; parts that learn nothing: {', '.join(sorted(idle)) or 'none'}")
sys.exit(0 if idle == {"ctc", "ctc_decoder"} else 1)
