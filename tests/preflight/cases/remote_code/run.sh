cd "$(dirname "$0")"
funasr-train-ds --config-path .. --config-name sound ++model=FunAudioLLM/Fun-ASR-Nano-2512 \
  ++trust_remote_code=true ++train_data_set_list=../train.jsonl ++valid_data_set_list=../valid.jsonl
