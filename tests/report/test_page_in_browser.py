import pytest
from chromium import find_chromium, open_tab

pytestmark = [
    pytest.mark.skipif(find_chromium() is None, reason="there is no Chromium; `make chromium` installs one"),
    pytest.mark.xdist_group("report"),
]
BLOCKS, PLOTS = 4, 10
GROUND = "getComputedStyle(document.body).backgroundColor"
TEXT_OF_A_PLOT = "getComputedStyle(document.querySelector('.plot .xtitle')).fill"
LINES = "[...document.querySelectorAll('#plot-learning_curves .scatterlayer .js-line')]"


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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [380, 1280])
def test_the_page_is_whole_and_fits(tab, url, width, scheme):
    tab.open(url, width=width, scheme=scheme)
    assert tab.problems() == []
    assert tab.requests() == [url]
    assert tab.run("document.querySelectorAll('.plot svg.main-svg .scatterlayer .trace').length") > BLOCKS * PLOTS
    assert (
        tab.run("[...document.querySelectorAll('.plot')].filter(p => p.querySelector('.scatterlayer .trace')).length")
        == PLOTS
    )
    assert tab.run("document.querySelector('table').tBodies[0].rows.length") == BLOCKS
    assert tab.run("document.documentElement.scrollWidth") == width
    too_wide = (
        "[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, pre, svg, .plot')"
        " && e.getBoundingClientRect().right > innerWidth)"
    )
    assert tab.run(f"{too_wide}.map(e => e.outerHTML.slice(0, 80))") == []


def test_colors_follow_the_scheme_also_when_it_changes(tab, url):
    tab.open(url, scheme="light")
    ground, text, line = (tab.run(it) for it in (GROUND, TEXT_OF_A_PLOT, f"{LINES}.at(-1).style.stroke"))
    assert (ground, text, line) == ("rgb(243, 245, 248)", "rgb(27, 34, 44)", "rgb(148, 164, 162)")
    tab.prefer("dark")
    assert tab.run(GROUND) == "rgb(15, 19, 24)"
    tab.wait(f"{TEXT_OF_A_PLOT} === 'rgb(230, 234, 240)'")
    tab.prefer("light")
    tab.wait(f"{TEXT_OF_A_PLOT} === {text!r}")


def test_a_block_is_hidden_in_all_plots_and_shown_again(tab, url):
    tab.open(url)
    lines, all_dots = tab.run(f"{LINES}.length"), "document.querySelectorAll('#plot-returns .points path').length"
    dots = tab.run(all_dots)
    tab.run("document.querySelector('.blocks input').click()")
    tab.wait(f"{LINES}.length < {lines} && {all_dots} < {dots}")
    tab.run("document.querySelector('.blocks input').click()")
    tab.wait(f"{LINES}.length === {lines} && {all_dots} === {dots}")
    tab.run("document.getElementById('intervals').click()")
    tab.wait(f"{LINES}.length === {BLOCKS}")
    assert tab.problems() == []


def test_values_are_told_where_the_pointer_is(tab, url):
    tab.open(url)
    tab.run("Plotly.Fx.hover('plot-learning_curves', [{curveNumber: 4, pointNumber: 5}])")
    told = tab.run("document.querySelector('#plot-learning_curves .hoverlayer').textContent")
    assert "pqc" in told and "[" in told and "NaN" not in told


def test_no_button_sends_data_anywhere(tab, url):
    tab.open(url)
    titles = tab.run("[...document.querySelectorAll('.modebar-btn')].map(b => b.dataset.title)")
    assert "Zoom" in titles
    assert not [title for title in titles if "cloud" in title.lower() or "share" in title.lower()]
    assert tab.run("document.querySelector('.modebar a[href]')") is None
    refused = "fetch('https://example.org').then(() => 'sent', () => 'refused')"
    assert tab.run(refused) == "refused"
    assert any("Content Security Policy" in str(problem) for problem in tab.problems())


def test_a_script_that_is_not_the_pages_own_does_not_run(tab, url):
    tab.open(url)
    tab.run(
        "{ const script = document.createElement('script'); script.textContent = 'window.taken = true';"
        " document.body.append(script); }"
    )
    assert tab.run("window.taken") is None
