funasr-train-ds ++model=iic/SenseVoiceSmall ++train_data_set_list=train.jsonl
