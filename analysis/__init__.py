"""Studies: falsifiable claims about noise and neural codes, tested with the public API of nsnn_neuro only.

A study is a module, or a folder with `config`, `simulation` and `verdicts` (claims, tables and figures), that defines

- `CLAIM`, a sentence; `Config`, a frozen dataclass derived from `harness.StudyConfig` (seed, quick, sabotage)
- `run(config, out=None, progress=None) -> table`, a tidy DataFrame. Blocks are saved to the folder `out`. A run of minutes consists
  of `harness.part`s, so that it can continue after an interruption
- `plot(table) -> Figure`; optionally `figures(table) -> {caption: Figure}`, the main figure first
- `claims(table) -> [Claim]`, each with criterion and evidence (`harness.secondary`: one that does not decide)
- `SABOTAGES`, {name: description}: spoilt inputs (noise off, labels shuffled, ...) with which the claims must fail. `run` applies
  the one that `Config.sabotage` names, and the tests check that `harness.verify` raises `ClaimFailed`
- optionally `PAPER`, the claim of Ma, Yan & Tang 2023 that the study tests, with `PAPER_NUMBER`, which says how `full_runs.number`
  takes a number for the README from the evidence, both literals; `NEEDS`, the extra that it requires;
  `RECORDINGS`, sets of `shared.recordings` that it uses where they are available; `REQUIRED`, sets without which it cannot run;
  and for the report `summary(table) -> DataFrame`, `tables(table) -> {title: DataFrame}`, `headline(table) -> str`

`nsnn study` lists the studies, and `nsnn study NAME [--quick]` runs one and writes its report; in a clone, so does
`python -m analysis`. The modules belong to `nsnn_neuro.studies`, and import each other by relative imports. In a clone `analysis`
is a second name of the same modules.
"""

if __name__ == "analysis":
    import sys
    from importlib import import_module
    from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
    from typing import Any

    class _SameModule(SourceFileLoader):
        """Finds a module of `analysis`, and lets it be the module of that name in nsnn_neuro.studies."""

        @classmethod
        def find_spec(cls, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
            spec = PathFinder.find_spec(name, path) if name.startswith("analysis.") else None
            if spec is not None:
                spec.loader = cls(name, str(spec.origin))
            return spec

        def exec_module(self, module: Any) -> None:
            sys.modules[self.name] = import_module("nsnn_neuro.studies" + self.name.removeprefix("analysis"))

    sys.meta_path.insert(0, _SameModule)
    sys.modules[__name__] = import_module("nsnn_neuro.studies")
