"""Small language models in this process, through transformers on the CPU."""
