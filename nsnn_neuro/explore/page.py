"""The view: sliders of a `State`, and figures of what `simulated` returns for it."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Callable
from typing import Any

import numpy as np
import panel as pn
from bokeh.models.annotations import Span, Whisker
from bokeh.models.ranges import Range1d
from bokeh.models.sources import ColumnDataSource
from bokeh.plotting import figure

from ..core.errors import NsnnError
from ..models.compatibility import check_compatible
from ..plotting import COLOURS
from . import simulated
from .state import NEURONS, NOISES, State, changed, drive_range, noise_for, numbers, span, symbol

_WORDS = {"v": "drive", "sigma": "sigma: strength", "tau_noise": "tau_noise: correlation time"}
_WORDS |= {"v_thresh": "v_thresh: a spike begins here", "shared": "shared: part common to all neurons"}
_SCALES = ("sigma", "width", "delta_T")  # parameters that are at least 0
_RUN = {"n_neurons": (1, 100), "trials": (1, 100), "duration": (200, 5000)}
_WIDE: Any = {"sizing_mode": "stretch_width"}
_SOURCES = {"spikes": "x low high", "v": "x y", "bins": "left right y", "points": "x y low high"}
_SOURCES["theory"] = "x y"
_HEAD = "<style>dl{display:flex;flex-wrap:wrap;gap:4px 28px;margin:0}dd{margin:0;font-size:1.25em}pre{white-space:pre-wrap}</style>"
_GRID = {"display": "grid", "grid-template-columns": "repeat(auto-fit, minmax(310px, 1fr))"}
# sliders stay in sight beside or above the figures
_STICKY = """
:host { position: sticky; top: 0; z-index: 2; background: white; align-self: flex-start; max-height: 100vh; overflow-y: auto }
@media (max-width: 640px) { :host { max-height: 45vh; border-bottom: 2px solid #ccc } }
"""


class Page(pn.viewable.Viewer):
    """Sliders and figures of a neuron with noise; `state` is what they show."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self.state, self._is_waiting, self._is_building = state, False, False
        self._sliders: dict[tuple[str, str], Any] = {}
        self._panes: list[Any] = []
        self._neuron = pn.widgets.Select(label="Neuron", options=[*NEURONS], **_WIDE)
        self._noise = pn.widgets.Select(label="Noise", **_WIDE)
        self._run: dict[str, Any] = {}
        for name, (low, high) in _RUN.items():
            value = getattr(state, name)
            ends: dict[str, Any] = {"start": min(low, value), "end": max(high, value), "value": value}
            if name == "duration":
                self._run[name] = pn.widgets.FloatSlider(label="duration (ms)", step=50.0, **ends, **_WIDE)
            else:
                self._run[name] = pn.widgets.IntSlider(label=name, **ends, **_WIDE)
        self._run["seed"] = pn.widgets.IntInput(label="seed", value=state.seed, start=0, **_WIDE)
        self._slow = pn.widgets.Checkbox(label="slow results: information, theory that takes seconds")
        self._code = pn.widgets.Toggle(label="Show Python and TOML", **_WIDE)
        self._numbers, self._texts = pn.pane.HTML(**_WIDE), pn.pane.HTML(visible=False, **_WIDE)
        self._message = pn.pane.Alert(alert_type="warning", visible=False, **_WIDE)
        self._controls = pn.Column(stylesheets=[_STICKY], styles={"flex": "1 1 260px"}, **_WIDE)
        self._source = {name: ColumnDataSource() for name in _SOURCES}
        self._figures = self._drawn()
        for choice in (self._neuron, self._noise):
            choice.param.watch(self._choose, "value")
        for widget in (*self._run.values(), self._slow, self._code):
            widget.param.watch(self._change, "value")
        self._rebuild()
        self._update()

    def __panel__(self) -> Any:
        """Controls beside the figures, or above them in a narrow window."""
        self._panes = [pn.pane.Bokeh(one, **_WIDE) for one in self._figures]
        parts = self._message, self._numbers, pn.Column(*self._panes, styles=_GRID, **_WIDE), self._texts
        return pn.FlexBox(self._controls, pn.Column(*parts, styles={"flex": "4 1 320px"}, **_WIDE), **_WIDE)

    def _drawn(self) -> list[Any]:
        labels = {
            "Spikes of one trial": ("time (ms)", "neuron"),
            "f-I curve": ("drive", "rate (Hz)"),
            "Membrane of neuron 0, same trial": ("time (ms)", "V"),
            "Intervals of all trials": ("interval (ms)", "count"),
        }
        figures: list[Any] = [figure(title=title, height=270, tools="", **_WIDE) for title in labels]
        for one, (x, y) in zip(figures, labels.values(), strict=True):
            one.xaxis.axis_label, one.yaxis.axis_label, one.toolbar_location = x, y, None
        raster, curve, membrane, intervals = figures
        membrane.x_range, source = raster.x_range, self._source
        raster.segment("x", "low", "x", "high", source=source["spikes"], color=COLOURS[0])
        membrane.line("x", "y", source=source["v"], color=COLOURS[0])
        intervals.quad(left="left", right="right", top="y", bottom=0, source=source["bins"], color=COLOURS[0])
        points: dict[str, Any] = {"source": source["points"]}
        curve.line("x", "y", source=source["theory"], color=COLOURS[1], legend_label="theory", line_width=2)
        curve.scatter("x", "y", size=6, color=COLOURS[0], legend_label="simulated ± SE", **points)
        curve.add_layout(Whisker(base="x", lower="low", upper="high", line_color=COLOURS[0], **points))
        curve.legend.update(location="top_left", background_fill_alpha=0.6, padding=3)
        intervals.x_range.start = intervals.y_range.start = 0
        curve.y_range = Range1d(start=0, end=1)
        line: Any = {"line_dash": "dashed", "line_color": "gray"}
        self._here, self._spike = (Span(dimension=along, **line) for along in ("height", "width"))
        curve.add_layout(self._here)
        membrane.add_layout(self._spike)
        return figures

    def _models(self) -> dict[str, Any]:
        return {name: getattr(self.state, name) for name in ("stimulus", "noise", "neuron")}

    def _rebuild(self) -> None:
        """Choices and sliders for the neuron and the noise of the state."""
        neuron, kind = self.state.neuron, type(self.state.noise).__name__
        self._is_building = True
        self._neuron.value = type(neuron).__name__
        self._noise.options = [*dict.fromkeys([*filter(lambda one: _fits(neuron, one), NOISES), kind])]
        self._noise.value = kind
        self._is_building = False
        self._sliders, rows = {}, []
        above = {"stimulus": [], "noise": [self._noise], "neuron": [self._neuron]}
        for part, model in self._models().items():
            rows += above[part]
            for name, (value, unit) in numbers(model).items():
                self._sliders[part, name] = _slider(name, value, unit, neuron)
                self._sliders[part, name].param.watch(self._change, "value")
                rows.append(self._sliders[part, name])
        self._controls[:] = [*rows, *self._run.values(), self._slow, self._code]

    def _choose(self, _: Any) -> None:
        """Another neuron or noise, with its first parameters."""
        if self._is_building:
            return
        neuron, stimulus, kind = self.state.neuron, self.state.stimulus, self._noise.value
        if type(neuron).__name__ != self._neuron.value:
            neuron, self._figures[1].y_range.end = NEURONS[self._neuron.value], 1
            kind = kind if kind in NOISES and _fits(neuron, kind) else "WhiteNoise"
            stimulus = State.of(neuron).stimulus
        noise = noise_for(neuron, kind)
        self.state = dataclasses.replace(self.state, neuron=neuron, noise=noise, stimulus=stimulus)
        self._rebuild()
        self._change()

    def _change(self, *_: Any) -> None:
        """Update soon, once for all changes until then; at once where there is no server."""
        document = pn.state.curdoc
        if document is None or document.session_context is None:
            self._update()
            pn.io.push_notebook(*self._panes)
        elif not self._is_waiting:
            self._is_waiting = True
            document.add_timeout_callback(self._update, 10)

    def _update(self) -> None:
        """Read the sliders, simulate, show; an error leaves the figures as they are."""
        self._is_waiting = False
        values: dict[str, dict[str, float]] = {part: {} for part in self._models()}
        for (part, name), slider in self._sliders.items():
            values[part][name] = slider.value
        try:
            models = {part: changed(model, values[part]) for part, model in self._models().items()}
            run = {name: widget.value for name, widget in self._run.items()}
            self.state = dataclasses.replace(self.state, **models, **run)
            result = simulated.run(self.state)
            with pn.io.hold():  # one message to the browser
                self._show(result)
        except NsnnError as error:
            self._message.object, self._message.visible = html.escape(str(error)), True
            return
        self._message.visible = False

    def _show(self, result: simulated.Simulated) -> None:
        state = self.state
        here, curve, why = simulated.theory(state, self._slow.value)
        unit = symbol(state.neuron.membrane_unit)
        (t, neuron), (x, rate, se) = result.spikes, result.curve
        longest = float(np.percentile(result.intervals, 99.5)) if result.intervals.size else 1.0
        counts, edges = np.histogram(result.intervals, bins=50, range=(0.0, longest))
        columns = {
            "spikes": (t, neuron - 0.4, neuron + 0.4),
            "v": result.membrane,
            "bins": (edges[:-1], edges[1:], counts),
            "points": (x, rate, rate - se, rate + se),
            "theory": curve,
        }
        for name, arrays in columns.items():
            self._source[name].data = dict(zip(_SOURCES[name].split(), arrays, strict=True))
        self._here.location = state.drive
        self._spike.location = numbers(state.neuron)[state.neuron.threshold][0]
        raster, fi, membrane, _ = self._figures
        raster.x_range.end, raster.x_range.start = state.duration, 0.0
        top = 1.05 * float(np.nanmax([*(rate + np.nan_to_num(se)), *curve[1], 0.0]))
        fi.y_range.end = max(fi.y_range.end, top)  # a scale that follows would hide what noise does
        fi.xaxis.axis_label = f"drive ({unit}); dashed: now" if unit else "drive; dashed: now"
        membrane.yaxis.axis_label = f"V ({unit}); dashed: {state.neuron.threshold}" if unit else "V"
        self._numbers.object = _HEAD + self._rows(result, here, why)
        self._texts.visible = self._code.value
        texts = {"Python": state.python(), "TOML, for nsnn simulate FILE.toml -o run.nwb": state.toml()}
        shown = (f"<b>{name}</b><pre>{html.escape(text)}</pre>" for name, text in texts.items())
        self._texts.object = _HEAD + "".join(shown)

    def _rows(self, result: simulated.Simulated, here: dict[str, float], why: str) -> str:
        """Simulated values, and theory or why there is none."""
        theory = {"rate": f"theory: {why}", "cv": f"theory: {why}"}
        theory |= {name: f"theory: {value:.3f}" for name, value in here.items()}
        small = "; low, as trials cut long intervals off" * result.is_cv_small
        rows = [
            ("rate", f"{result.rate:.3f} ± {result.rate_se:.2g} Hz", theory["rate"]),
            ("CV of intervals", f"{result.cv:.3f} ± {result.cv_se:.2g}", theory["cv"] + small),
        ]
        if self._slow.value:
            bits = simulated.information(self.state)
            number = f"{bits.value:.2f} ± {bits.se or np.nan:.2g} bit/s or more"
            rows.append(("information about a slow signal", number, simulated.SIGNAL))
        rows.append(("time", f"{result.seconds:.2f} s", f"of one simulation, engine {result.engine}"))
        cells = (f"<div><dt>{k}</dt><dd>{v}</dd><small>{note}</small></div>" for k, v, note in rows)
        return f"<dl>{''.join(cells)}</dl>"


def in_notebook(state: State) -> Page:
    """The page as an object that a notebook displays."""
    pn.extension(inline=True)  # from this machine: a notebook may have no network
    return Page(state)


def serve(state: State, port: int, show: bool, ready: Callable[[str], None]) -> None:
    """Serve pages that start with a state to browsers of this machine until Ctrl-C; pages of other origins cannot connect."""
    simulated.run(state)  # compiles
    hosts = [f"127.0.0.1:{port}", f"localhost:{port}"]
    options: dict[str, Any] = {"address": "127.0.0.1", "websocket_origin": hosts, "title": "nsnn explore"}
    quiet = {"show": False, "start": False, "verbose": False}
    server: Any = pn.serve(lambda: Page(state), port=port, **options, **quiet)
    server.start()
    ready(f"http://{hosts[0]}/")
    if show:
        server.io_loop.add_callback(server.show, "/")
    try:
        server.io_loop.start()
    except KeyboardInterrupt:  # the way to end it
        server.stop()


def _fits(neuron: Any, kind: str) -> bool:
    """Whether a neuron takes the noise model of this name."""
    try:
        check_compatible(neuron, noise_for(neuron, kind), None)
    except NsnnError:
        return False
    return True


def _slider(name: str, value: float, unit: str, neuron: Any) -> Any:
    """A slider of a parameter around its value, with about 200 steps."""
    word, scale = name.rpartition(".")[2], span(neuron)
    low, high = 0.0, max(3 * value, 10.0 if unit == "s" else 1.0)
    if word == "v":
        low, high = drive_range(neuron)
    elif word in _SCALES:
        high = max(scale, 2 * value)
    elif word == "shared":
        high = 1.0
    elif unit == neuron.membrane_unit and word.startswith(("v_", "w", "b", "e_rev")):
        low, high = value - 1.5 * scale, value + 1.5 * scale
    step = 10.0 ** np.floor(np.log10((high - low) / 50))
    start = step if unit == "s" and word != "tau_refrac" else step * np.floor(min(low, value) / step)
    ends = {"start": float(min(start, value)), "end": float(step * np.ceil(max(high, value) / step))}
    label = _WORDS.get(word, name) + (f" ({symbol(unit)})" if symbol(unit) else "")
    shown: dict[str, Any] = {"step": float(step), "format": "0[.]0[000]"}
    return pn.widgets.FloatSlider(label=label, value=value, **ends, **shown, **_WIDE)
