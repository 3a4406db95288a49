"""The picture of the reference run's page that the README shows: `python -m bench.report.screenshot page.png`.

It needs playwright and Chromium, and is called by hand alone.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from bench.report.readme import reference


def screenshot(name: str) -> Path:
    """Take the top of the reference's page at 1440 px, in light, with few enough colours to stay small."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    path = reference() / name
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme="light")
        page.goto((reference() / "index.html").as_uri())
        taken = Image.open(io.BytesIO(page.screenshot()))
        browser.close()
    taken.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)
    return path


if __name__ == "__main__":
    for name in sys.argv[1:]:
        screenshot(name)
