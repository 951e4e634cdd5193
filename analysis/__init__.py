"""Studies: each a falsifiable claim about noise and neural codes, on the public API of nsnn_neuro alone.

A study is one module here (its parts may stand beside it in modules that begin with an underscore) with

- `CLAIM`, a sentence; `Config`, a frozen record with at least `seed` and `quick`
- `run(config, out=None, progress=None) -> table`: a tidy DataFrame; Blocks go as files into the folder `out`. One that takes
  minutes is made of `harness.part`s, which a run that was killed goes on from
- `plot(table) -> Figure`; optional `figures(table) -> {caption: Figure}`, the main one first
- `claims(table) -> [Claim]` and `verify(table)`, which raises `ClaimFailed` when one of them doesn't hold
- `SABOTAGES`, {name: what it does}: inputs that no true claim survives (noise off, labels shuffled, ...). `Config` has a field
  `sabotage: str = ""`, `run` obeys it, and the tests see `verify` fail with each of them
- optional `PAPER`, the claim of Ma, Yan & Tang 2023 that the study puts to the test; `NEEDS`, the extra it can't do without
- for people, optional: `summary(table) -> DataFrame`, further `tables(table) -> {title: DataFrame}`, `headline(table) -> str`

`python -m analysis` lists the studies, `python -m analysis NAME [--quick]` runs one and writes its report.
"""
