# the same in PowerShell
$Model = "D:\models\Nano"
$env:CUDA_VISIBLE_DEVICES = "0,1"
$Lists = @(
  "++train_data_set_list=train.jsonl",
  "++valid_data_set_list=valid.jsonl"
)
& torchrun --nproc_per_node 2 `
  -m funasr.bin.train_ds "++model=$Model" @Lists `
  ++dataset_conf.batch_size=16 ++dataset_conf.data_split_num=1 `
  ++audio_encoder_conf.freeze=false ++train_conf.use_deepspeed=false
