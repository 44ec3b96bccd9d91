#!/usr/bin/env bash
# The self-check of a CUDA device: is what it computes right, and how fast is it? Needs no network.
# Prints a table to paste into an issue, and ends with status 1 where a comparison failed.
#   bash benchmarks/gpu_check.sh              on CUDA; minutes
#   bash benchmarks/gpu_check.sh --device cpu the same script at tiny sizes
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
[ -x "$python" ] || python=python3
echo "| check | state | found |"
echo "|---|---|---|"
exec timeout 480 "$python" -m echochamber doctor --gpu "$@"
