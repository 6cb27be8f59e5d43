"""The page in a real browser: what a reader types, clicks, sees and hears, and that nothing leaves
the machine."""

import json
import os
import shutil
import threading
from typing import Any
from unittest import mock

import pytest
import spacy
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from spacy_selectra.serving.service.limits import Limits
from spacy_selectra.serving.service.server import AnnotationServer
from tests.processes import HANGS

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    BROWSER is None or DRIVER is None,
    reason="no Chromium with its driver (Debian: apt-get install chromium chromium-driver)",
)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--window-size=1000,1400",
)
# An emoji before the entities: JavaScript counts it as two characters, Python as one.
TEXT = "😀 El niño comió piñón en Cádiz con <b>Ana</b> & Luis."


@pytest.fixture(scope="module")
def url(pipeline):
    nlp = spacy.load(pipeline)
    ruler: Any = nlp.add_pipe("entity_ruler", config={"overwrite_ents": True})
    ruler.add_patterns([{"label": "LOC", "pattern": "Cádiz"}, {"label": "PER", "pattern": "Luis"}])
    # the random recogniser's finds would be others on another processor
    nlp.remove_pipe("ner")
    limits = Limits(characters=2_000)
    server = AnnotationServer(nlp, "127.0.0.1", 0, limits, quiet=True)
    thread = threading.Thread(target=server.serve_until_stopped)
    thread.start()
    yield server.url
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    offline = {"SE_OFFLINE": "true", "SE_AVOID_STATS": "true"}
    with mock.patch.dict(os.environ, offline):
        try:
            driver = webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
        except WebDriverException as error:
            pytest.skip(f"the browser does not start here ({error.msg})")
    yield driver
    driver.quit()


@pytest.fixture
def page(browser, url):
    browser.get(url)
    until(browser, lambda: by_id(browser, "pipeline").text == "es_selectra_test")
    browser.find_element(By.CSS_SELECTOR, "[data-language=es]").click()
    return browser


def until(browser, true):
    WebDriverWait(browser, HANGS, poll_frequency=0.02).until(lambda _: true())


def by_id(browser, name):
    return browser.find_element(By.ID, name)


def texts(browser, selector):
    return [each.text for each in browser.find_elements(By.CSS_SELECTOR, selector)]


def analyse(browser, text, labels=""):
    by_id(browser, "text").send_keys("")
    # drivers send no characters beyond the first 65,536 of Unicode
    browser.execute_script("arguments[0].value = arguments[1]", by_id(browser, "text"), text)
    by_id(browser, "labels").send_keys(labels)
    by_id(browser, "submit").click()
    until(browser, lambda: "Analizando" not in by_id(browser, "status").text)


def test_text_in_entities_topics_and_own_labels_out(page):
    analyse(page, TEXT, "cine, mar, cocina, mar")
    until(page, lambda: by_id(page, "results").is_displayed())
    assert texts(page, "mark.entity") == ["Cádiz LOC", "Luis PER"]
    assert by_id(page, "legend").text == "LOC: lugar; PER: persona."
    assert (
        page.execute_script(
            "const copy = document.getElementById('entities').cloneNode(true);"
            "copy.querySelectorAll('.label').forEach((each) => each.remove());"
            "return copy.textContent"
        )
        == TEXT
    )  # what looks like HTML is text
    assert set(texts(page, "#topics .name")) == {"cultura", "deportes"}
    assert set(texts(page, "#zero-shot .name")) == {"cine", "mar", "cocina"}
    shares = [float(text.replace("%", "").strip()) for text in texts(page, "#zero-shot .value")]
    assert shares == sorted(shares, reverse=True)
    answer = json.loads(by_id(page, "json").get_property("textContent"))
    assert set(answer["zero_shot"]) == {"cine", "mar", "cocina"}
    assert by_id(page, "status").text.startswith("Análisis terminado: 2 entidades. Tema: ")


def test_replaced_words_follow_the_slider_by_keyboard(page):
    by_id(page, "text").send_keys("El niño comió piñón.", Keys.CONTROL, Keys.ENTER)
    until(page, lambda: by_id(page, "results").is_displayed())
    assert not by_id(page, "truncated").is_displayed()
    slider = by_id(page, "threshold")
    slider.send_keys(Keys.HOME)
    words = ["El", "niño", "comió", "piñón", "."]
    assert texts(page, "mark.replaced") == words
    assert by_id(page, "flagged").text.startswith("Por encima del umbral: El (")
    slider.send_keys(Keys.END)
    assert texts(page, "mark.replaced") == []
    assert by_id(page, "threshold-value").text.replace("\xa0", " ") == "100 %"
    assert by_id(page, "flagged").text == "Ninguna palabra por encima del umbral."


def test_what_was_not_read_is_said(page):
    analyse(page, "palabras y más palabras " * 40, "cine")
    until(page, lambda: by_id(page, "results").is_displayed())
    assert "demasiado largo para zero_shot" in by_id(page, "truncated").text


def test_refusals_reach_the_reader(page):
    analyse(page, "a " * 1_500)
    until(page, lambda: by_id(page, "error").text)
    assert by_id(page, "error").text == (
        "El texto es demasiado largo: 3,000 characters, at most 2,000 are accepted in a request."
    )
    assert not by_id(page, "results").is_displayed()
    analyse(page, " ")
    assert by_id(page, "error").text == "Escriba un texto."
    assert page.switch_to.active_element == by_id(page, "text")
    page.execute_script("window.fetch = () => Promise.reject(new TypeError('no network'))")
    analyse(page, TEXT)
    until(page, lambda: by_id(page, "error").text == "El servicio no responde.")
    assert by_id(page, "error").aria_role == "alert"


def test_the_language_is_remembered(page):
    analyse(page, TEXT)
    page.find_element(By.CSS_SELECTOR, "[data-language=en]").click()
    assert by_id(page, "submit").text == "Analyse"
    assert by_id(page, "status").text.startswith("Analysis finished: 2 entities.")
    page.refresh()
    assert by_id(page, "submit").text == "Analyse"
    assert page.execute_script("return document.documentElement.lang") == "en"
    page.find_element(By.CSS_SELECTOR, "[data-language=es]").click()
    assert by_id(page, "submit").text == "Analizar"


def test_an_example_is_a_click_away_and_fits_a_phone(page):
    assert by_id(page, "skip").get_property("hidden")  # there is nothing to skip to
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": True},
    )
    try:
        by_id(page, "example").click()
        until(page, lambda: by_id(page, "results").is_displayed())
        assert set(texts(page, "#zero-shot .name")) == {"literatura", "fútbol", "economía"}
        assert by_id(page, "text").get_property("value").startswith("La escritora chilena")
        wide = "return document.documentElement.scrollWidth"
        assert page.execute_script("return innerWidth") == 320
        assert page.execute_script(wide) == 320
        by_id(page, "labels").send_keys(", desoxirribonucleico")
        by_id(page, "submit").click()
        answer = by_id(page, "json")
        until(page, lambda: "desoxirribonucleico" in answer.get_property("textContent"))
        assert page.execute_script(wide) == 320
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_answer_is_copied_as_json(page, url):
    page.execute_cdp_cmd(
        "Browser.grantPermissions",
        {"origin": url, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]},
    )
    analyse(page, TEXT)
    by_id(page, "copy").click()
    until(page, lambda: by_id(page, "status").text == "Copiado.")
    copied = page.execute_async_script(
        "const done = arguments[0]; navigator.clipboard.readText().then(done, (e) => done(`${e}`))"
    )
    assert json.loads(copied)["text"] == TEXT


def test_all_controls_have_names_and_are_reached_by_tab(page):
    analyse(page, TEXT)
    until(page, lambda: by_id(page, "results").is_displayed())
    controls = page.find_elements(By.CSS_SELECTOR, "button, input, textarea, a, summary")
    for control in controls:
        assert control.accessible_name.strip(), control.get_attribute("outerHTML")
    page.execute_script("document.querySelector('a').focus()")
    (first, *others) = controls
    first.send_keys(Keys.TAB)
    unreached = {control.id for control in others}
    while (focused := page.switch_to.active_element).tag_name != "body":
        assert focused.value_of_css_property("outline-style") == "solid", focused.accessible_name
        unreached.discard(focused.id)
        focused.send_keys(Keys.TAB)
    assert not unreached


def test_no_request_leaves_and_no_other_origin_may_be_asked(page, url):
    page.get_log("performance")
    page.refresh()
    analyse(page, TEXT, "cine")
    until(page, lambda: by_id(page, "results").is_displayed())
    events = [json.loads(each["message"])["message"] for each in page.get_log("performance")]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert f"{url}/annotate" in asked
    assert all(each.startswith((f"{url}/", "data:")) for each in asked), asked
    refused = page.execute_async_script(
        "const done = arguments[0];"
        "document.addEventListener('securitypolicyviolation', (e) => done(e.effectiveDirective));"
        "fetch('http://127.0.0.1:9/').catch(() => null)"
    )
    assert refused == "connect-src"
    page.get_log("browser")  # that refusal is logged, and is no mistake of the page
