"""Take the picture of the service's page: `python docs/page.py es_selectra_tiny --labels MODEL`.

Needs Chromium with its driver, and for the labels a zero-shot model (docs/zero_shot.md).
"""

from __future__ import annotations

import argparse
import os
import shutil
import threading
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from spacy_selectra.serving.records import load_pipeline
from spacy_selectra.serving.service.limits import Limits
from spacy_selectra.serving.service.server import AnnotationServer

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "page.png"
TEXT = ROOT / "assets" / "ordinary.txt"
LABELS = "fútbol, medicina, empresas"
WIDTH = 1000
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", f"--window-size={WIDTH},1000")


def take(url: str, text: str, labels: str, picture: Path) -> None:
    """Type the text and the labels, and take the picture of the whole page."""
    os.environ["SE_OFFLINE"] = "true"
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for flag in FLAGS:
        options.add_argument(flag)
    browser = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        browser.get(url)
        browser.find_element(By.CSS_SELECTOR, "[data-language=es]").click()
        wait = WebDriverWait(browser, 60)
        wait.until(lambda _: browser.title.startswith("es_"))
        browser.find_element(By.ID, "text").send_keys(text)
        browser.find_element(By.ID, "labels").send_keys(labels)
        browser.find_element(By.ID, "submit").click()
        wait.until(lambda _: browser.find_element(By.ID, "results").is_displayed())
        browser.execute_script("document.activeElement.blur()")
        browser.execute_script("document.getElementById('text').rows = 4")
        height = browser.execute_script("return document.documentElement.scrollHeight")
        browser.set_window_size(WIDTH, height + 150)
        browser.save_screenshot(str(picture))
    finally:
        browser.quit()
    with Image.open(picture) as image:  # few colours are enough, and a third of the bytes
        image.convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(picture, optimize=True)


def main() -> None:
    """Serve the pipeline for as long as it takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pipeline")
    parser.add_argument("--labels", help="zero-shot model to add to the pipeline")
    parser.add_argument("--text", type=Path, default=TEXT, help="file with the text")
    parser.add_argument("--typed", default=LABELS, help="labels, with commas between them")
    parser.add_argument("--output", type=Path, default=PICTURE)
    arguments = parser.parse_args()
    nlp = load_pipeline(arguments.pipeline)
    if arguments.labels:
        nlp.add_pipe("selectra_zero_shot", name="zero_shot", config={"model": arguments.labels})
    server = AnnotationServer(nlp, "127.0.0.1", 0, Limits(), quiet=True)
    thread = threading.Thread(target=server.serve_until_stopped)
    thread.start()
    try:
        text = arguments.text.read_text(encoding="utf-8").strip()
        take(server.url, text, arguments.typed, arguments.output)
    finally:
        server.should_exit = True
        thread.join()


if __name__ == "__main__":
    main()
