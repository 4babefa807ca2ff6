"""Benchmarks, as ratios against a peer in the same run: `nox -s bench`, or `nox -s bench -- calls decoding` for some chapters.

A chapter is a module here with `chapter() -> list[Table]`. Two that need a database or a server of their own stay apart:
`python tests/ledger_benchmark.py` and `python tests/server_benchmark.py`.
"""
