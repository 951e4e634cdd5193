"""NWB files (Neurodata Without Borders 2): those of `save`, and those of other programs.

- `saved` describes and reads files of `save`, `write` makes them; `storage`, `order` and `timed` serve both. `metadata` is what all
  files say of the session.
- `recording` reads files of other programs, with `tables`, `event_tables`, `series` and `sweeps` (intracellular recordings);
  `neo_layout` reads those of Neo's own writer.
- `archive` says what the validator of an archive would report.
"""
