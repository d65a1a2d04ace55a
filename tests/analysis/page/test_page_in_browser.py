"""The page in headless Chromium, controlled over the pipe of its DevTools protocol."""

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-sync", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars"),
    *("--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe"),
)

LAUNCH = """if True:
    import fcntl, os, sys
    ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD_CLOEXEC, 5) for end in sys.argv[1:3]]  # neither is 3 or 4
    os.dup2(ends[0], 3)
    os.dup2(ends[1], 4)
    os.execv(sys.argv[3], sys.argv[3:])
"""
"""The browser reads from descriptor 3 and writes to 4."""


def find_chromium():
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Tab:
    """One page; `events` has what the browser told of it."""

    def __init__(self, to_browser, from_browser):
        self._to, self._from = to_browser, from_browser
        self._number, self._session = 0, {}
        self.events = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "Network", "Security"):
            self.send(f"{domain}.enable")

    def send(self, method, **params):
        self._number += 1
        message = {"id": self._number, "method": method, "params": params} | self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        while (answer := self._read()).get("id") != self._number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _read(self):
        message = bytearray()
        while (byte := self._from.read(1)) != b"\0":
            assert byte, "the browser ended"
            message += byte
        return json.loads(message)

    def open(self, url, *, width=1280, height=900, scheme="light"):
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        self.prefer(scheme)
        self.send("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.protocol === 'file:'")

    def prefer(self, scheme):
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def wait(self, condition):
        """Wait until an expression is true."""
        deadline = time.monotonic() + 60
        while not self.run(condition):
            assert time.monotonic() < deadline, f"waited for {condition}; {self.problems()}"
            time.sleep(0.02)

    def run(self, expression):
        """Return the value of an expression, which may be a promise."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def problems(self):
        """Return errors, warnings and uncaught exceptions of the page so far."""
        self.send("Runtime.evaluate", expression="0")
        kinds = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        return [event["params"] for event in self.events if event["method"] in kinds]

    def requests(self):
        """Return the addresses that the page asked for."""
        asked = [event for event in self.events if event["method"] == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in asked]


@contextmanager
def open_tab(profile):
    """Start a browser with a profile folder of its own, and end it."""
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    command = [find_chromium(), *FLAGS, f"--user-data-dir={profile}"]
    launcher = [sys.executable, "-c", LAUNCH, str(to_read), str(from_write), *command]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    browser = subprocess.Popen(launcher, pass_fds=(to_read, from_write), **quiet)
    os.close(to_read)
    os.close(from_write)
    try:
        with os.fdopen(to_write, "wb") as to_browser, os.fdopen(from_read, "rb") as from_browser:
            tab = Tab(to_browser, from_browser)
            yield tab
    finally:
        browser.terminate()
        browser.wait(20)


pytestmark = [
    pytest.mark.skipif(find_chromium() is None, reason="there is no Chromium; `make chromium` installs one"),
]
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
TEXT_OF_A_FIGURE = "getComputedStyle(document.querySelector('.plot text')).fill"
CURVE = "getComputedStyle(document.querySelector('.plot .block-0 path')).stroke"


@pytest.fixture(scope="module")
def url(written):
    return (written[0] / "report.html").as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with open_tab(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture
def tab(browser):
    browser.events.clear()
    return browser


@pytest.mark.parametrize("width", [380, 1280])
def test_the_page_is_whole_and_fits(tab, url, width):
    tab.open(url, width=width)
    assert tab.problems() == []
    assert tab.requests() == [url]
    sizes = "[...document.querySelectorAll('.plot svg')].map(s => Math.min(s.clientWidth, s.clientHeight))"
    assert all(size > 100 for size in tab.run(sizes))
    assert tab.run("document.documentElement.scrollWidth") == width
    too_wide = (
        "[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, pre, svg')"
        " && e.getBoundingClientRect().right > innerWidth)"
    )
    assert tab.run(f"{too_wide}.map(e => e.outerHTML.slice(0, 80))") == []


def test_colors_follow_the_scheme_also_when_it_changes(tab, url):
    tab.open(url, scheme="light")
    light = [tab.run(color) for color in (BACKGROUND, TEXT_OF_A_FIGURE, CURVE)]
    tab.prefer("dark")
    dark = [tab.run(color) for color in (BACKGROUND, TEXT_OF_A_FIGURE)]
    assert light == ["rgb(243, 245, 248)", "rgb(27, 34, 44)", "rgb(63, 144, 218)"]
    assert dark == ["rgb(15, 19, 24)", "rgb(230, 234, 240)"]


def test_a_block_is_hidden_in_all_figures_and_shown_again(tab, url):
    tab.open(url)

    def visible(selector):
        elements = f"[...document.querySelectorAll('.plot {selector}')]"
        return tab.run(f"{elements}.filter(e => getComputedStyle(e).display !== 'none').length")

    blocks, intervals = visible(".block-1"), visible(".interval")
    tab.run("document.getElementById('show-1').click()")
    assert visible(".block-1") == 0 < blocks and visible(".block-2") > 0 and 0 < visible(".interval") < intervals
    tab.run("document.getElementById('show-1').click()")
    tab.run("document.getElementById('intervals').click()")
    assert visible(".interval") == 0 and 0 < visible(".block-1") < blocks
    tab.run("document.getElementById('intervals').click()")
    assert (visible(".block-1"), visible(".interval")) == (blocks, intervals)


def test_a_value_is_told_where_the_pointer_is(tab, url):
    tab.open(url)
    tab.run("document.querySelector('#learning_curves').scrollIntoView()")
    place = "document.querySelectorAll('.plot')[2].querySelector('.tooltip').getBoundingClientRect()"
    at = tab.run(
        f"document.elementFromPoint({place}.x + {place}.width / 2, {place}.y + {place}.height / 2).textContent"
    )
    assert "env steps: " in at and "nan" not in at


def test_no_script_runs_and_nothing_is_sent(tab, url):
    tab.open(url)
    tab.run(
        "{ const script = document.createElement('script'); script.textContent = 'window.taken = true';"
        " document.body.append(script); }"
    )
    assert tab.run("window.taken") is None
    assert tab.run("fetch('https://example.org').then(() => 'sent', () => 'refused')") == "refused"
    assert any("Content Security Policy" in str(problem) for problem in tab.problems())
