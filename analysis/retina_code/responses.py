"""Stimulus and spikes of the study `retina_code`: the movie at each cell's receptive field, and responses in bins of 10 ms."""

from __future__ import annotations

import dataclasses

import numpy as np

from nsnn_neuro import measures, select
from nsnn_neuro.datasets import SalamanderRetina

from .config import BIN, LAGS, SIDE, STEPS, Config

_FRAME_RATE = 30.0  # Hz
_REGION = 12  # pixels of a frame: the square around the receptive field, cut into SIDE x SIDE tiles


@dataclasses.dataclass(frozen=True, eq=False)
class Responses:
    """Windows of the movie with all repeats of the cells."""

    x: np.ndarray
    """(n_windows, n_steps, n_cells, 1 + n_features) 1, then brightening, darkening and luminance of the last frames"""
    tiles: np.ndarray
    """(n_windows, n_steps, n_cells, n_lags, n_tiles) luminance of tiles around the receptive field"""
    o: np.ndarray
    """(n_windows, n_repeats, n_steps, n_cells) 1.0 in a bin with a spike"""

    def windows(self, rows: np.ndarray) -> Responses:
        """Some of the windows."""
        return Responses(self.x[rows], self.tiles[rows], self.o[rows])


def of_recording(retina: SalamanderRetina, config: Config) -> Responses:
    """Stimulus and spikes of the first cells. The first repeat, which is nearly empty, is left out."""
    repeats = sorted({segment.annotations["repeat"] for segment in retina.movie.segments})[1:]
    movie = select(retina.movie, trials={"repeat": repeats})
    words = measures.words(movie, bin_width=BIN)  # (n_windows * n_repeats, n_cells, n_steps)
    n_windows = len(retina.window_onsets)
    o = words.reshape(n_windows, len(repeats), *words.shape[1:]).transpose(0, 1, 3, 2)[..., : config.cells]
    tiles = _tiles(retina, min(config.cells, words.shape[1]))
    if config.sabotage == "windows shuffled":
        tiles = np.roll(tiles, n_windows // 2, axis=0)
    return Responses(_features(tiles), tiles, o.astype(float))


def _tiles(retina: SalamanderRetina, n_cells: int) -> np.ndarray:
    """Luminance from -1 to 1 of the tiles of each cell in the frames that are shown up to each bin, newest first."""
    frames = retina.frames.astype(np.float32) / 127.5 - 1
    n_frames, height, width = frames.shape
    centre = (np.arange(STEPS) + 0.5) * float(BIN.rescale("s"))
    now = np.floor((retina.window_onsets[:, None] + centre) * _FRAME_RATE).astype(int)
    shown = np.clip(now[..., None] - np.arange(LAGS), 0, n_frames - 1)
    region = min(_REGION, height, width)
    tile = region // SIDE
    cells = []
    for x, y in retina.centres_in_frames[:n_cells]:
        left, top = (
            int(np.clip(np.floor(at) - region // 2, 0, size - region))
            for at, size in ((x, width), (y, height))
        )
        part = frames[:, top : top + SIDE * tile, left : left + SIDE * tile]
        part = part.reshape(n_frames, SIDE, tile, SIDE, tile).mean(axis=(2, 4)).reshape(n_frames, -1)
        cells.append(part[shown])
    return np.stack(cells, axis=2)


def _features(tiles: np.ndarray) -> np.ndarray:
    """1, then of each frame the mean over tiles of brightening and of darkening since the frame before, and of luminance."""
    change = tiles[..., :-1, :] - tiles[..., 1:, :]
    parts = [np.maximum(change, 0), np.maximum(-change, 0), tiles[..., :-1, :]]
    features = np.concatenate([part.mean(axis=-1) for part in parts], axis=-1)
    return np.concatenate([np.ones((*features.shape[:-1], 1)), features], axis=-1)
