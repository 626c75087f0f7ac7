funasr-train-ds --config-path . --config-name sound ++model=FunAudioLLM/Fun-ASR-Nano-2512 \
  ++train_data_set_list=train.jsonl
