"""Studies: falsifiable claims about noise and neural codes, tested with the public API of nsnn_neuro only.

A study is a module, or a folder with `config`, `simulation`, `verdicts` and `plots`, that defines

- `CLAIM`, a sentence; `Config`, a frozen dataclass derived from `harness.StudyConfig` (seed, quick, sabotage)
- `run(config, out=None, progress=None) -> table`, a tidy DataFrame. Blocks are saved to the folder `out`. A run of minutes consists
  of `harness.part`s, so that it can continue after an interruption
- `plot(table) -> Figure`; optionally `figures(table) -> {caption: Figure}`, the main figure first
- `claims(table) -> [Claim]`, each with criterion and evidence (`harness.secondary`: one that does not decide);
  `verify = harness.verifier(claims)` raises `ClaimFailed`
- `SABOTAGES`, {name: description}: spoilt inputs (noise off, labels shuffled, ...) with which the claims must fail. `run` applies
  the one that `Config.sabotage` names, and the tests check that `verify` fails
- optionally `PAPER`, the claim of Ma, Yan & Tang 2023 that the study tests, with `PAPER_NUMBER`, which says how `full_runs.number`
  takes a number for the README from the evidence, both literals; `NEEDS`, the extra that it requires;
  `RECORDINGS`, sets of `shared.recordings` that it uses where they are available; `REQUIRED`, sets without which it cannot run;
  and for the report `summary(table) -> DataFrame`, `tables(table) -> {title: DataFrame}`, `headline(table) -> str`

`python -m analysis` lists the studies. `python -m analysis NAME [--quick]` runs one and writes its report. In an installed package
this folder is `nsnn_neuro.studies`, and the command is `nsnn study`. So modules import each other by relative imports.
"""
