#!/bin/bash
set -e
SELF=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CONF=${CONF:-$SELF/conf}
ARGS=(
  ++model=${MODEL_DIR}   # the environment's
  "++train_data_set_list=$SELF/train.jsonl"
)
ARGS+=("++valid_data_set_list=${SELF}/valid.jsonl" '++text=$left')
[ -n "$EXTRA" ] && ARGS+=($EXTRA)
torchrun --nproc_per_node ${GPUS:-4} "$SELF/train_ds.py" --config-path "$CONF" \
  --config-name stage "${ARGS[@]}" ++output_dir=$(date +%s)
