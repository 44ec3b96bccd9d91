"""A real Chromium by the WebDriver protocol (W3C), over plain HTTP: no client library is needed."""

import base64
import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Chromium:
    """One headless browser window; close it with `close`."""

    def __init__(self, width: int = 1280, height: int = 1000) -> None:
        self.process = subprocess.Popen(
            [shutil.which("chromedriver") or "chromedriver", "--port=0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.root = f"http://127.0.0.1:{self._port()}"
        arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            f"--window-size={width},{height}",
            "--force-prefers-reduced-motion",
        ]
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments, "binary": shutil.which("chromium")},
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        self.session = ""
        try:
            reply = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        except urllib.error.HTTPError as error:
            self.close()
            raise AssertionError(f"no browser session: {error.read().decode()[:300]}") from None
        self.session = f"/session/{reply['sessionId']}"

    def __enter__(self) -> "Chromium":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _port(self) -> int:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if match := re.search(r"on port ([1-9]\d*)", line):
                return int(match[1])
        raise AssertionError("chromedriver did not start")

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(
            self.root + path, data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)["value"]

    def open(self, path: Path) -> None:
        self.open_address(path.resolve().as_uri())

    def open_address(self, address: str, ready: str = "return window.page !== undefined") -> None:
        self._call("POST", f"{self.session}/url", {"url": address})
        self.wait(ready)

    def show_as(self, width: int, height: int, scheme: str = "light") -> None:
        """A viewport of that size (smaller than a window can be, such as a phone's) in a colour scheme."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        for name, arguments in (("setDeviceMetricsOverride", size), ("setEmulatedMedia", media)):
            self._call(
                "POST", f"{self.session}/goog/cdp/execute", {"cmd": f"Emulation.{name}", "params": arguments}
            )

    def pdf(self) -> bytes:
        """The page as it is printed, in the size of sheets that it asks for."""
        asked = {"preferCSSPageSize": True, "printBackground": True}
        call = {"cmd": "Page.printToPDF", "params": asked}
        return base64.b64decode(self._call("POST", f"{self.session}/goog/cdp/execute", call)["data"])

    def run(self, script: str, *arguments: Any) -> Any:
        """The value of a script's `return`."""
        return self._call("POST", f"{self.session}/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, script: str) -> None:
        """Until the script returns true; at most ten seconds."""
        end = time.monotonic() + 10
        while not self.run(script):
            assert time.monotonic() < end, f"still false after 10 s: {script}"
            time.sleep(0.05)

    def click(self, selector: str) -> None:
        found = self._call("POST", f"{self.session}/element", {"using": "css selector", "value": selector})
        self.run("arguments[0].scrollIntoView({block: 'center'})", found)
        self._call("POST", f"{self.session}/element/{found[ELEMENT]}/click", {})

    def press(self, selector: str, *keys: str) -> None:
        found = self._call("POST", f"{self.session}/element", {"using": "css selector", "value": selector})
        self.run("arguments[0].focus()", found)
        for key in keys:
            self._call("POST", f"{self.session}/element/{found[ELEMENT]}/value", {"text": key})

    def choose(self, selector: str, value: str) -> None:
        self.run(
            (
                "const e = document.querySelector(arguments[0]); e.value = arguments[1]; "
                "e.dispatchEvent(new Event('change', {bubbles: true}))"
            ),
            selector,
            value,
        )

    def text(self, selector: str) -> str:
        return str(self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector))

    def console(self) -> list[str]:
        """Warnings and errors the page has logged since the last call."""
        entries = self._call("POST", f"{self.session}/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] in ("SEVERE", "WARNING")]

    def close(self) -> None:
        if self.session:
            self._call("DELETE", self.session)
        self.process.terminate()
        self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()


CONTRAST = """
const light = ([r, g, b]) => {
  const f = (v) => ((v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b);
};
const parse = (text) => (text.match(/[0-9.]+/g) || []).map(Number);
const ground = (e) => {
  for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] > 0.9) return c;
  }
  return [255, 255, 255];
};
const ratio = (a, b) => {
  const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
  return (x + 0.05) / (y + 0.05);
};
const bad = [];
const texts = 'h1, h2, h3, p, th, td, small, button, .label, .meaning, .interval, .outcome, .answer, '
  + 'footer, figcaption, .tile span, label, .legend li, mark';
for (const e of document.querySelectorAll(texts))
  if (e.offsetParent && e.innerText.trim()) {
    const r = ratio(parse(getComputedStyle(e).color), ground(e));
    if (r < 4.5) bad.push([e.className || e.tagName, e.innerText.slice(0, 20), r]);
  }
for (const e of document.querySelectorAll('#central .on-area')) {
  const areas = [...document.querySelectorAll('#central .area')];
  const area = areas.find((a) => a.dataset.format === e.textContent);
  const r = ratio(parse(getComputedStyle(e).fill), parse(getComputedStyle(area).fill));
  if (r < 4.5) bad.push(['on-area', e.textContent, r]);
}
for (const e of document.querySelectorAll('#central .series-label, svg .tick')) {
  const r = ratio(parse(getComputedStyle(e).fill), ground(e.parentElement.parentElement));
  if (r < 4.5) bad.push(['label', e.textContent, r]);
}
for (const e of document.querySelectorAll('#central .line:not(.faint), #arms-overlay .line, .legend line')) {
  const r = ratio(parse(getComputedStyle(e).stroke), ground(e.closest('#central, #arms-overlay')));
  if (r < 3) bad.push(['line', '', r]);
}
return bad;
"""
"""What stands out too little from its ground (WCAG 2.2, 1.4.3, 1.4.11): 4.5 to 1 for text, 3 for lines."""
