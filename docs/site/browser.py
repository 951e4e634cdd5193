"""Check the built site in a browser without a window: errors, images, widths, search. `make docs-check` runs it, with Chromium.

python docs/site/browser.py build/site                 # exit status 1 and a line for each fault
python docs/site/browser.py build/site --shots FOLDER  # also screenshots of some pages
python docs/site/browser.py report.html                # a single page
"""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

# what a reader types: a pattern in the address of a page that has to be among the first three hits
SEARCHES = {
    "Fano": "fano",
    "my own data": "own_spike_times",
    "raster": "raster",
    "spike train from NWB": "nwb",
    "PSTH": "psth",
    "f-I curve": "fi_curve",
    "f": "fano|fi_curve",
    "latency": "responses|firing|information",
    "noise correlation": "correlations|timing",
    "mutual information": "information",
    "GLM": "glm",
    "confusion matrix": "decod",
    "parameter sweep": "sweep",
    "heat map": "sweep",
    "own neuron": "own",
    "conductance": "network",
    "weight matrix": "network",
    "SpikeMonitor": "brian2",
    "Ornstein-Uhlenbeck": "noise",
    "escape noise": "noise",
    "Siegert": "theory",
    "Victor-Purpura": "timing|rate_vs_temporal",
    "train a network": "train",
    "surrogate gradient": "learning|gradients",
    "DANDI": "dandi",
}
SHOTS = (
    "index",
    "getting_started",
    "howto/raster_psth",
    "plots",
    "tutorials/index",
    "tutorials/rate_vs_temporal",
    "reference/index",
    "reference/noise",
    "results",
    "search",
)
_BAD_IMAGES = """const out = [];
for (const i of document.images) {
  if (i.complete && !i.naturalWidth) out.push(i.src.slice(0, 80));
  if (!i.alt) out.push("no alternative text: " + i.src.slice(0, 80));
}
return out"""
_LOST_LISTS = r"""return [...document.querySelectorAll("article p")].map(p => p.textContent)
  .filter(text => /[:.,]\n- /.test(text)).map(text => text.slice(0, 60))"""
_LOST_ANCHORS = """return [...document.querySelectorAll('a[href^="#"]')].map(a => a.getAttribute("href"))
  .filter(to => to.length > 1 && !document.getElementById(decodeURIComponent(to.slice(1))))"""
_NARROW_CODE = """const out = [];
for (const pre of document.querySelectorAll("article pre")) {
  const room = document.createElement("canvas").getContext("2d");
  room.font = getComputedStyle(pre).font;
  const style = getComputedStyle(pre), sides = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
  const fit = (pre.clientWidth - sides) / room.measureText("x").width;
  if (fit < 85 && pre.scrollWidth > pre.clientWidth) out.push(Math.floor(fit));
}
return out"""
PHONE, SCREEN = (390, 844), (1280, 900)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """No line for each request."""


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """No traceback for a connection that the browser closes when it leaves a page."""


def browser() -> webdriver.Chrome:
    """Chromium without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("chromium-browser") or ""
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


def width(driver: webdriver.Chrome, size: tuple[int, int]) -> None:
    """Give the page the size of a screen, in CSS pixels, also below the least width of a window."""
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def faults(driver: webdriver.Chrome, address: str) -> Iterator[str]:
    """What is wrong with a page: console errors, missing or nameless images, lists shown as text, a page wider than a phone."""
    width(driver, SCREEN)
    driver.get(address)
    for image in driver.execute_script(_BAD_IMAGES):
        yield f"image: {image}"
    for text in driver.execute_script(_LOST_LISTS):
        yield f"a list within a paragraph, which needs an empty line before it: {text!r}"
    for anchor in driver.execute_script(_LOST_ANCHORS):
        yield f"a link to {anchor}, which the page does not have"
    for columns in driver.execute_script(_NARROW_CODE):
        yield f"a column of {columns} characters for code: expected 85"
    width(driver, PHONE)
    wide = driver.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
    if wide > 0:
        yield f"{wide} pixels wider than a phone"
    for entry in driver.get_log("browser"):
        if (
            entry["level"] == "SEVERE" and "favicon.ico" not in entry["message"]
        ):  # asked for by the browser itself
            yield f"console: {entry['message']}"


def hits(driver: webdriver.Chrome, base: str, words: str, seconds: float = 60) -> list[str]:
    """Addresses of the first three hits of the site's search."""
    driver.get("about:blank")
    driver.get(f"{base}search.html?q={urllib.parse.quote_plus(words)}")
    links = "[...document.querySelectorAll('#search-results ul.search > li > a')].map(link => link.href)"
    ended = "document.querySelector('#search-results .search-summary')?.textContent.includes('found')"
    WebDriverWait(driver, seconds).until(lambda d: d.execute_script(f"return {ended} || {links}.length > 2"))
    return driver.execute_script(f"return {links}.slice(0, 3)")


def _of_pages(pages: list[Path], root: Path, base: str) -> list[str]:
    """The faults of pages, each with its page."""
    driver = browser()
    try:
        return [
            f"{page.relative_to(root)}: {fault}"
            for page in pages
            for fault in faults(driver, base + page.relative_to(root).as_posix())
        ]
    finally:
        driver.quit()


def _of_search(base: str) -> list[str]:
    """Searches whose first hits lack the page that they should find."""
    driver, faulty = browser(), []
    try:
        width(driver, SCREEN)
        for words, expected in SEARCHES.items():
            first = hits(driver, base, words)
            if not any(re.search(expected, address) for address in first):
                faulty.append(
                    f"search for {words!r} finds {first}: expected a page whose address has {expected}"
                )
    finally:
        driver.quit()
    return faulty


def _shoot(folder: Path, paths: Sequence[str], base: str) -> None:
    """Screenshots of pages at the width of a phone and of a screen."""
    folder.mkdir(parents=True, exist_ok=True)
    driver = browser()
    try:
        for size in (PHONE, SCREEN):
            for path in paths:
                width(driver, size)
                driver.get(base + path + (".html?q=fano" if path == "search" else ".html"))
                time.sleep(1)
                name = path.replace("/", "_").removesuffix(".html")
                driver.save_screenshot(str(folder / f"{name}_{size[0]}.png"))
    finally:
        driver.quit()


def main(arguments: list[str]) -> int:
    """Check a site's folder or a single page; print faults, and return 1 if there are any."""
    target = Path(arguments[0]).resolve()
    root = target if target.is_dir() else target.parent
    server = _Server(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}/"
    pages = sorted(root.rglob("*.html")) if target.is_dir() else [target]
    pages = [
        page for page in pages if not {"_modules", "_static"} & set(page.parts)
    ]  # source code; the theme's own files
    try:
        with ThreadPoolExecutor() as pool:  # a browser for each half: a page waits for one process at a time
            halves = [pool.submit(_of_pages, some, root, base) for some in (pages[::2], pages[1::2]) if some]
            bad = [fault for half in halves for fault in half.result()]
        bad += _of_search(base) if target.is_dir() else []
        print(*bad, sep="\n", end="\n" if bad else "")
        if "--shots" in arguments:
            folder = Path(arguments[arguments.index("--shots") + 1])
            _shoot(folder, SHOTS if target.is_dir() else (target.stem,), base)
    finally:
        server.shutdown()
    print(f"{len(pages)} pages, {len(bad)} faults")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
