"""Studies: each a falsifiable claim about noise and neural codes, on the public API of nsnn_neuro alone.

A study is one module here with

- `CLAIM`, a sentence; `Config`, a frozen record with at least `seed` and `quick`
- `run(config, out=None, progress=None) -> table`: a tidy DataFrame; recordings and models as files in the folder `out`
- `plot(table) -> Figure`, and if one figure isn't enough `figures(table) -> {caption: Figure}`
- `claims(table) -> [Claim]` and `verify(table)`, which raises `ClaimFailed` when one of them doesn't hold
- `summary(table) -> DataFrame` for people (optional)

`python -m analysis` lists the studies, `python -m analysis NAME [--quick]` runs one and writes its report.
"""
