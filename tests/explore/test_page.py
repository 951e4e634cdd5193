"""The page of `explore`: its sliders, its server, and what a browser shows."""

from __future__ import annotations

import dataclasses
import importlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import quantities as pq
from brian2 import ms, mV
from helpers.command import RUN, main

import nsnn_neuro as nsnn
from nsnn_neuro.explore.state import NEURONS, State, changed

pytest.importorskip("panel")
ROOT = Path(__file__).resolve().parents[2]
SMALL = {"n_neurons": 2, "trials": 3, "duration": 300 * ms, "seed": 3}


def rate_of(state: State) -> str:
    """The rate that `simulate` has, as the page writes it."""
    block = nsnn.simulate(state.neuron, state.noise, state.stimulus, **state.run())
    return f"{nsnn.measures.firing_rate(block, t_start=state.t_start * pq.ms).mean():.3f} ± "


@pytest.fixture
def page():
    from nsnn_neuro.explore.page import Page

    return Page(State.of(NEURONS["LIF"], nsnn.WhiteNoise(3 * mV), nsnn.Constant(22 * mV), **SMALL))


def test_a_moved_slider_shows_the_rate_of_simulate(page):
    assert rate_of(page.state) in page._numbers.object
    page._sliders["stimulus", "v"].value = 25.0
    page._sliders["noise", "sigma"].value = 5.5
    page._run["trials"].value = 4
    expected = dataclasses.replace(
        page.state, noise=changed(page.state.noise, {"sigma": 5.5}), stimulus=nsnn.Constant(25 * mV), trials=4
    )
    assert page.state.python() == expected.python()
    assert rate_of(expected) in page._numbers.object
    assert page._here.location == 25.0
    page._code.value = True
    assert page._texts.visible
    assert "sigma=5.5*mV" in page._texts.object


def test_a_value_that_is_refused_leaves_the_figures(page):
    before = page._numbers.object
    page._sliders["neuron", "v_reset"].value = 24.0
    assert page._message.visible
    assert "v_reset" in page._message.object
    assert page._numbers.object == before
    page._sliders["neuron", "v_reset"].value = 12.0
    assert not page._message.visible


@pytest.mark.slow
def test_the_axis_of_rates_starts_at_0_and_grows_only_until_another_neuron(page):
    """Else an axis that follows the curve would hide what noise does to it."""
    axis = page._figures[1].y_range
    before = axis.end
    page._sliders["noise", "sigma"].value = 12.0
    above = axis.end
    assert above > before
    page._sliders["noise", "sigma"].value = 1.0
    assert (axis.start, axis.end) == (0, above)
    assert max(page._source["points"].data["high"]) < 0.9 * above
    page._neuron.value = "PIF"
    assert axis.end != above


@pytest.mark.slow
def test_another_neuron_keeps_a_noise_that_it_takes(page):
    page._noise.value = "ThresholdNoise"
    assert {("noise", "sigma"), ("neuron", "tau_m")} <= set(page._sliders)
    assert ("noise", "shared") not in page._sliders
    page._neuron.value = "QIF"
    assert type(page.state.noise) is nsnn.WhiteNoise
    assert page._noise.options == ["WhiteNoise", "OUNoise", "PoissonNoise"]
    assert rate_of(page.state) in page._numbers.object


@pytest.mark.slow
def test_a_notebook_displays_it():
    view = nsnn.explore(NEURONS["LIF"], nsnn.WhiteNoise(3 * mV), **SMALL)
    assert view.state.trials == 3
    assert len(view.__panel__().get_root().references()) > 50


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"LIF"', '"NSNNNeuron"', "run.toml"),
        ('tau_m = "20 ms"', 'tau_m = ["20 ms", "10 ms", "20 ms"]', "run.toml:4: tau_m"),
        ("n_neurons = 3", "n_neurons = 2000000000", "run.toml.*n_neurons"),
        ('type = "Constant"', 'type = "Step"\nt_on = "0 s"\nt_off = "1 s"', "Constant"),
        ("n_neurons = 3", "n_neurons = 3\nbridge = false", "bridge"),
    ],
)
def test_a_file_that_cannot_be_shown_is_refused_with_its_line(old, new, words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert old in RUN
    Path("run.toml").write_text(RUN.replace(old, new), encoding="utf-8")
    assert main(["explore", "run.toml", "--no-browser"]) == 2
    assert re.search(words, capsys.readouterr().err)


def test_a_file_without_noise_and_drive_has_none_and_the_example_opens(tmp_path, monkeypatch):
    file = tmp_path / "run.toml"
    file.write_text(re.sub(r"\[noise\].*(?=\[run\])", "", RUN, flags=re.S), encoding="utf-8")
    served = []
    monkeypatch.setattr(
        importlib.import_module("nsnn_neuro.explore.page"), "serve", lambda state, *_: served.append(state)
    )
    assert main(["explore", str(file)]) == 0
    assert (served[0].noise.si("sigma"), served[0].drive, served[0].seed) == (0, 0, 1)
    file.unlink()
    assert main(["example", "lif.toml", "-o", str(file)]) == main(["explore", str(file)]) == 0
    assert (served[1].n_neurons, served[1].trials, served[1].duration) == (100, 20, 2000)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Of a server in a process of its own, which Ctrl-C ends without an error."""
    file = tmp_path_factory.mktemp("explore") / "run.toml"
    file.write_text(RUN, encoding="utf-8")
    command = [sys.executable, "-m", "nsnn_neuro", "explore", str(file), "--no-browser"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as server:
        lines = iter(server.stderr.readline, "")
        yield next(address[0] for line in lines if (address := re.search(r"http://\S+", line)))
        time.sleep(0.5)
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0, server.stderr.read()


def handshake(port: int, origin: str) -> str:
    """The first line of the answer to a page of `origin` that asks for a websocket."""
    lines = [
        "GET /ws HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: Upgrade", "Upgrade: websocket", f"Origin: {origin}",
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]  # fmt: skip
    with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
        peer.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return peer.recv(100).decode(errors="replace").splitlines()[0]


@pytest.mark.slow
def test_the_server_is_on_the_loopback_address_and_refuses_pages_of_other_origins(address):
    port = int(address.rstrip("/").rpartition(":")[2])
    for origin in (f"http://127.0.0.1:{port}", f"http://localhost:{port}"):
        assert " 101 " in handshake(port, origin)
    for origin in ("http://example.org", f"http://example.org:{port}", "http://127.0.0.1", "null"):
        assert " 403 " in handshake(port, origin)
    listening = Path("/proc/net/tcp").read_text(encoding="utf-8").splitlines()
    assert [
        one.split()[1] for one in listening if one.split()[1].endswith(f":{port:04X}") and " 0A " in one
    ] == [f"0100007F:{port:04X}"]


_ALL = """const all = (root, sel) => [...root.querySelectorAll(sel),
  ...[...root.querySelectorAll('*')].flatMap(e => e.shadowRoot ? all(e.shadowRoot, sel) : [])];"""
_KEY = """const at = all(document, '.bk-slider-title').findIndex(e => e.textContent.startsWith(arguments[0]));
all(document, '.noUi-handle')[at].dispatchEvent(new KeyboardEvent('keydown', {key: arguments[1], bubbles: true}));"""


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromedriver"), reason="needs chromium and chromedriver")
def test_a_browser_shows_the_rate_of_simulate_after_a_slider_moves(address):
    pytest.importorskip("selenium")
    sys.path.insert(0, str(ROOT / "docs" / "site"))
    from browser import SCREEN, browser, width
    from selenium.webdriver.support.ui import WebDriverWait

    driver = browser()
    try:
        width(driver, SCREEN)
        driver.get(address)

        def shown(_=None) -> str:
            return driver.execute_script(f"{_ALL} return (all(document, 'dd')[0] || {{}}).textContent || ''")

        wait = WebDriverWait(driver, 60, poll_frequency=0.1)
        before = wait.until(shown)
        for name, key in (("drive", "End"), ("sigma", "Home"), ("tau_m", "ArrowRight")):
            driver.execute_script(_ALL + _KEY, name, key)
            before = wait.until(lambda _, old=before: shown() != old and shown())
        driver.execute_script(
            f"{_ALL} all(document, 'button').find(e => e.textContent.includes('Python')).click()"
        )
        text = wait.until(
            lambda _: driver.execute_script(f"{_ALL} return (all(document, 'pre')[0] || {{}}).innerText")
        )
        names: dict[str, object] = {}
        exec(text, names)
        assert before.startswith(f"{names['rate']:.3f} ± ")
        assert not [
            one
            for one in driver.get_log("browser")
            if one["level"] == "SEVERE" and "favicon" not in one["message"]
        ]
    finally:
        driver.quit()
        sys.path.remove(str(ROOT / "docs" / "site"))
