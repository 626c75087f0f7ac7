#!/bin/bash
# The form of the library's recipe: a hub's name and overrides, and no YAML.
here=`pwd`
export CUDA_VISIBLE_DEVICES="0,1"
count=$(echo $CUDA_VISIBLE_DEVICES | awk -F "," '{print NF}')
program=`which funasr-train-ds`
torchrun --nnodes 1 --nproc_per_node $count ${program} \
  ++model="FunAudioLLM/Fun-ASR-Nano-2512" \
  ++train_data_set_list="${here}/train.jsonl" ++valid_data_set_list="${here}/valid.jsonl" \
  ++dataset_conf.data_split_num=1 ++dataset_conf.batch_type="token" \
  ++train_conf.effective_save_name_excludes="None" ++train_conf.use_deepspeed=false \
  ++audio_encoder_conf.freeze=true ++llm_conf.freeze=false ++output_dir=./out
