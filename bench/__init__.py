"""The benchmarks, each beside its peer in one run: `python -m bench [NAME …]`."""
