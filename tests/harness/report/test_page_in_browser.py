"""The page in a real Chromium. Without one the tests skip, unless TIMETRIAL_REQUIRE asks for "browser"."""

import json
import re
import shutil
from dataclasses import replace

import pytest

from tests.requirements import lacks
from timetrial.harness.planning.places import RESULTS
from timetrial.harness.records.run import Run
from timetrial.harness.report.boards import read_boards
from timetrial.harness.report.write import write_report

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def chromium():
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        lacks("browser", "no chromium here: apt install chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        lacks("browser", "no playwright here: pip install playwright")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium, report):
    """Open the report; afterwards nothing may have been complained of or asked of the network."""
    complaints, requests, contexts = [], [], []

    def opened(**options):
        context = chromium.new_context(viewport={"width": 1280, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: requests.append(request.url))
        page.goto((report / "leaderboard.html").as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith("file:") and url != "data:,"] == []
    assert all(url.endswith("leaderboard.html") for url in requests if url.startswith("file:"))


def names(page, where="#ranking"):
    return page.eval_on_selector_all(f"{where} tbody tr[data-name]", "rows => rows.map(row => row.dataset.name)")


def test_it_shows_the_numbers_of_the_markdown_digit_by_digit(open_page, report):
    page = open_page()
    text = {name: page.locator(f"#ranking tr[data-name={name}]").inner_text() for name in names(page)}
    shown = {name: " ".join(row.split()).replace("\u00d7", "x").replace(" %", "%") for name, row in text.items()}
    lines = (report / "leaderboard.md").read_text().splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    times = [row for row in rows if row[0] in shown]
    for name, *cells in times:
        for seconds, ratio, reach in re.findall(r"([\d.]+) s ([\d.]+)x(?: (\d+%))?", " ".join(cells)):
            assert f"{ratio}x {seconds} s {reach}".strip() in shown[name]
    scores = [row for row in rows if len(row) == 12 and row[1] in shown]
    for _, name, speedup, score, way, reach, best, _, _, tolerance, state, peak in scores:
        for number in (speedup, score, way, reach, best):
            assert re.sub("[()]", "", number) in shown[name]
        assert shown[name].endswith(f"{tolerance} {state.removesuffix('/parameter')} {peak}")
    assert len(times) == len(scores) == len(shown) > 5


def test_it_answers_the_four_questions_in_order(open_page):
    page = open_page()
    assert page.locator("h2").all_inner_texts() == ["Who wins?", "Why?", "What is it?", "Can I trust it?"]
    assert "By measured seconds, muon" in page.locator("#headline").inner_text()
    assert page.locator("#ranking tbody tr").first.locator("th").inner_text().split() == ["1", "muon"]
    assert "certificate" in page.locator("#evidence").inner_text()
    assert page.locator("#tuning .chart").count() == 4


def test_a_click_on_a_column_sorts_and_another_turns_it_round(open_page):
    page = open_page()
    button = page.locator("#ranking th[data-key=memory] button")
    button.click()
    assert names(page)[0] == "sgd"
    assert page.locator("#ranking th[data-key=memory]").get_attribute("aria-sort") == "ascending"
    page.locator("#ranking th[data-key=memory] button").click()
    assert names(page)[0] == "shampoo"


def test_misses_sort_last_either_way(open_page):
    page = open_page()
    for _ in range(2):
        page.locator("#ranking th[data-key=small_gpt] button").click()
        assert names(page)[-2:] != ["muon", "muon"] and {"sgd", "sign_sgd"} == set(names(page)[-2:])


def test_text_filters_table_heat_map_and_descriptions(open_page):
    page = open_page()
    page.fill("#filter", "adam")
    assert set(names(page)) == {"nadamw", "adamw"}
    assert page.locator("#details > details").count() == 2
    assert page.locator("#heat tbody tr").count() == 2
    page.fill("#filter", "nothing is called so")
    assert "no submission matches" in page.locator("#ranking").inner_text()
    page.fill("#filter", "")
    assert len(names(page)) == 7


def test_steps_can_be_chosen_instead_of_time(open_page):
    page = open_page()
    by_time = names(page)
    page.locator("[data-clock=steps]").click()
    assert page.locator("[data-clock=steps]").get_attribute("aria-pressed") == "true"
    assert names(page).index("shampoo") < by_time.index("shampoo")
    assert "steps" in page.locator("#profiles .axis-title").first.text_content()


def test_the_legend_toggles_lines_in_every_chart(open_page):
    page = open_page()
    drawn = page.locator(".chart g[data-name=muon] .curve")
    assert drawn.count() == 1 + 3 * 4
    page.locator("#legend button[data-name=muon]").click()
    assert drawn.count() == 0
    assert page.locator("#legend button[data-name=muon]").get_attribute("aria-pressed") == "false"
    page.locator("#legend button[data-name=muon]").click()
    assert drawn.count() == 13


def test_hovering_a_line_singles_it_out(open_page):
    page = open_page()
    line = page.locator("#profiles .series[data-name=sgd] .hit")
    box = line.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 40, box["y"] + 7)
    line.dispatch_event("pointerenter")
    assert page.locator("#profiles .chart.single .series.on").first.get_attribute("data-name") == "sgd"
    line.dispatch_event("pointerleave")
    assert page.locator(".chart.single").count() == 0


def test_the_keyboard_reaches_and_works_everything(open_page):
    page = open_page()
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.outerHTML.slice(0, 200)"))
    everything = " ".join(seen)
    for needed in ("data-clock", "filter", "rank, ", 'data-name="muon"', "<summary"):
        assert needed in everything
    page.locator("#ranking th[data-key=memory] button").focus()
    page.keyboard.press("Enter")
    assert names(page)[0] == "sgd"
    page.locator("#details summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("#details > details").first.get_attribute("open") is not None


def test_a_submission_shows_its_paper_hyperparameters_source_and_files(open_page, report):
    page = open_page()
    page.locator("#ranking a", has_text="muon").click()
    fold = page.locator("#details > details[data-name=muon]")
    fold.locator("h4").first.wait_for()
    assert fold.locator("a[href='https://example.org/paper']").count() == 1
    assert "learning_rate" in fold.inner_text()
    fold.locator("summary", has_text="submission.py").click()
    assert "< the code & nothing else" in fold.locator("pre").first.inner_text()
    fold.locator("summary", has_text="All 100 trials").click()
    links = fold.locator("td a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert len(links) == 300 and all((report / link).exists() for link in links)


def test_words_of_a_submission_are_only_ever_text(open_page):
    page = open_page()
    assert page.title().startswith("TimeTrial")
    page.locator("#details > details[data-name=evil] > summary").click()
    fold = page.locator("#details > details[data-name=evil]")
    fold.locator("h4").first.wait_for()
    assert "<b>bold</b>" in fold.inner_text() and fold.locator("img").count() == 0
    targets = fold.locator("dl a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert targets and all(re.match("https?://", target) for target in targets)


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_it_fits_a_phone_a_tablet_and_a_desk(open_page, width):
    page = open_page()
    page.set_viewport_size({"width": width, "height": 844})
    page.wait_for_timeout(100)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_dark_mode_is_dark_and_print_is_light(open_page):
    page = open_page(color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    assert max(page.evaluate(ground)) < 60
    page.emulate_media(media="print")
    assert min(page.evaluate(ground)) > 240
    assert not page.locator("#controls").is_visible()


def test_without_a_script_there_is_a_plain_table(open_page):
    page = open_page(java_script_enabled=False)
    assert "muon" in page.locator("noscript").inner_text()


def test_a_committed_board_says_which_entries_were_run_again_and_in_what_they_differ(chromium, tmp_path):
    committed = (RESULTS / "version_2/mini/self_tuning/leaderboard.html").read_text()
    for name, standing, problems in (("muon", "verified", []), ("soap", "challenged", ["small_gpt: <b>late</b>"])):
        where = "https://github.com/timetrial-benchmark/timetrial/actions/runs/1"
        found = {"standing": standing, "reruns": [["2026-11-27", where, 4, 3, problems, "0.98x"]]}
        committed = committed.replace(
            f'"{name}":{{"standing":"self-reported","reruns":[]}}', f'"{name}":{json.dumps(found).replace("<", "&lt;")}'
        )
    (tmp_path / "leaderboard.html").write_text(committed)
    page = chromium.new_page()
    page.goto((tmp_path / "leaderboard.html").as_uri())
    row = {name: page.locator(f"#ranking tr[data-name={name}]").inner_text() for name in ("muon", "soap", "adamw")}
    assert "verified 2026-11-27, 4 trials" in row["muon"]
    assert "challenged 2026-11-27" in row["soap"] and "self-reported" in row["adamw"]
    page.click("#ranking th[data-key=verified] button")
    assert names(page)[0] == "muon" and names(page)[-1] == "soap"
    evidence = page.locator("#evidence").inner_text()
    assert "4, 3 bit for bit" in evidence and "0.98x" in evidence and "late" in evidence
    assert page.locator(f"#evidence a[href='{where}']").count() == 2
    page.close()


def test_committed_entries_beside_ones_own_run_are_all_on_the_page(chromium, run_folder, tmp_path):
    (board,) = read_boards([Run(run_folder)])
    write_report([replace(board, verifications={"adamw": []})], tmp_path, formats=())
    page = chromium.new_page()
    page.goto((tmp_path / "leaderboard.html").as_uri())
    assert sorted(names(page)) == sorted(board.submissions)
    page.close()


def test_a_board_of_ones_own_run_has_no_such_column(open_page):
    assert open_page().locator("#ranking th[data-key=verified]").count() == 0
