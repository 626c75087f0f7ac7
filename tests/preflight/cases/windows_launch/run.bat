@echo off
rem the same on Windows
set MODEL=D:\models\Nano
set "DATA=%~dp0data"
python -m funasr.bin.train_ds ^
  ++model="%MODEL%" ^
  ++train_data_set_list=train.jsonl ^
  ++valid_data_set_list="valid.jsonl" ^
  ++dataset_conf.batch_size=16 ^
  ++dataset_conf.data_split_num=1 ^
  ++audio_encoder_conf.freeze=false ^
  ++train_conf.use_deepspeed=false ++output_dir=%DATA%\out
