"""A browser that reaches nothing, driven by its own protocol, over two pipes.

https://chromedevtools.github.io/devtools-protocol/
"""

import fcntl
import json
import os
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
UNREACHABLE = ("--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9")
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars")
DOMAINS = ("Page", "Runtime", "Log", "Network")


class Page:
    """A page that is looked at. `complaints` are errors and warnings of its console, `requests` what it asked for."""

    def __init__(self, to: IO[bytes], answers: IO[bytes]) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._to, self._answers, self._number, self._session = to, answers, 0, ""
        self._loaded = False
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in DOMAINS:
            self._ask(f"{domain}.enable")

    def open(self, url: str, dark: bool = False, width: int = 1400) -> None:
        """Open a page, and wait until it is there."""
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=False)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self._ask("Emulation.setEmulatedMedia", features=scheme)
        self._loaded = False
        self._ask("Page.navigate", url=url)
        while not self._loaded:
            self._hear()

    def run(self, script: str) -> Any:
        """What an expression of JavaScript comes to, as JSON."""
        found = self._ask("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in found:
            raise AssertionError(found["exceptionDetails"])
        return found["result"].get("value")

    def picture(self, file: Path) -> None:
        """Write the whole page as a PNG."""
        shot = self._ask("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(b64decode(shot["data"]))

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        asked = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            asked["sessionId"] = self._session
        self._to.write(json.dumps(asked).encode() + b"\0")
        self._to.flush()
        while (answer := self._hear()).get("id") != self._number:
            continue
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return dict(answer["result"])

    def _hear(self) -> dict[str, Any]:
        read = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            if not byte:
                raise AssertionError("the browser is gone")
            read += byte
        heard: dict[str, Any] = json.loads(read)
        told = heard.get("params", {})
        match heard.get("method"):
            case "Page.loadEventFired":
                self._loaded = True
            case "Network.requestWillBeSent":
                self.requests.append(told["request"]["url"])
            case "Log.entryAdded":
                self.complaints.append(told["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(told["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if told["type"] in ("error", "warning"):
                self.complaints.append(str(told["args"]))
        return heard


@contextmanager
def browser() -> Iterator[Page]:
    """A page in a browser without a window or a network."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        theirs, ours = os.pipe(), os.pipe()
        child = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs[0], ours[1])]
        options = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe")
        command = [str(CHROMIUM), *options, *UNREACHABLE, *QUIET, f"--user-data-dir={profile}"]
        in_place = f'exec 3<&{child[0]} 4>&{child[1]}; exec "$@"'  # where the browser looks for them
        process = subprocess.Popen(
            ["bash", "-c", in_place, "browser", *command], pass_fds=child, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for end in (*child, theirs[0], ours[1]):
            os.close(end)
        try:
            with os.fdopen(theirs[1], "wb") as to, os.fdopen(ours[0], "rb") as answers:
                yield Page(to, answers)
        finally:
            process.kill()
            process.wait()
