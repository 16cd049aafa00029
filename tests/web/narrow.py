"""A browser with the screen of a phone, driven by Chromium's DevTools protocol."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import aiohttp

from tests.clients.programs import SEARCH_PATH

WIDTH, HEIGHT = 390, 844
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0")


def evaluate(address: str, until: str, expression: str, home: Path) -> Any:
    """Opens an address, waits until the JavaScript `until` is true, and returns the value of `expression`."""
    browser = subprocess.Popen(
        ["chromium", *OPTIONS, f"--user-data-dir={home}", "about:blank"],
        env={"PATH": SEARCH_PATH, "HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        return asyncio.run(asyncio.wait_for(_evaluate(home, address, until, expression), 60))
    finally:
        browser.terminate()
        browser.wait(10)


async def _evaluate(home: Path, address: str, until: str, expression: str) -> Any:
    file = home / "DevToolsActivePort"
    while not file.exists() or "\n" not in file.read_text():
        await asyncio.sleep(0.1)
    async with aiohttp.ClientSession() as session:
        tabs = await (await session.get(f"http://127.0.0.1:{file.read_text().split()[0]}/json")).json()
        target = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
        async with session.ws_connect(target, max_msg_size=0) as tab:
            screen = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": True}
            await _call(tab, "Emulation.setDeviceMetricsOverride", screen)
            await _call(tab, "Page.navigate", {"url": address})
            while not await _value(tab, until):
                await asyncio.sleep(0.2)
            return await _value(tab, expression)


async def _value(tab: Any, expression: str) -> Any:
    answer = await _call(
        tab, "Runtime.evaluate", {"expression": expression, "awaitPromise": True, "returnByValue": True}
    )
    return answer["result"].get("value")


async def _call(tab: Any, method: str, parameters: dict[str, Any]) -> Any:
    await tab.send_json({"id": 1, "method": method, "params": parameters})
    while (answer := await tab.receive_json()).get("id") != 1:
        pass
    return answer["result"]
