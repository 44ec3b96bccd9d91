"""Everything that holds weights: runtime, tokenizer, transformer, sampling, checkpoints."""
