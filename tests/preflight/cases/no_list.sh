torchrun --nproc_per_node 1 train_ds.py --config-path . --config-name sound ++output_dir=out
