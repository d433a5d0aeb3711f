"""The browser's half of the corpus of tests/core/test_markup.py, and the same payloads arriving in pieces."""

import pytest

from apps.core import markup
from tests.browser.modules import open_modules
from tests.corpus.markup import cases, payloads

TRAPS = """
    window.fired = [];
    window.alert = (what) => window.fired.push(`alert ${what}`);
    window.addEventListener("securitypolicyviolation", (event) => window.fired.push(event.violatedDirective));
"""

SAME = """async ({ text, html }) => {
    const { render } = await import("core/markup");
    const server = Object.assign(document.createElement("template"), { innerHTML: html }).content;
    const rendered = document.createElement("div");
    rendered.append(render(text));
    const expected = document.createElement("div");
    expected.append(server);
    return [rendered.isEqualNode(expected), rendered.innerHTML];
}"""

STREAM = """async ({ texts, size }) => {
    const { StreamingMarkup } = await import("core/streaming");
    const { render } = await import("core/markup");
    const wrong = [];
    for (const text of texts) {
        const element = document.createElement("div");
        document.querySelector("main").replaceChildren(element);
        const streaming = new StreamingMarkup(element, { caret: true });
        for (let at = 0; at < text.length; at += size) {
            streaming.append(text.slice(at, at + size));
            streaming.render();
            for (const found of element.querySelectorAll("*")) {
                if (found.matches("script,img,svg,math,iframe,style,form,input,object,embed,base,meta,link,template")
                    || [...found.attributes].some(({ name }) => /^(on|style|src|id|name|hx-|data-a(?!lign)|data-c)/.test(name)))
                    wrong.push([text, found.outerHTML]);
                if (found.href && !/^(https?|mailto):/i.test(found.href)) wrong.push([text, found.outerHTML]);
            }
        }
        streaming.finish();
        const whole = document.createElement("div");
        whole.append(render(text));
        if (!element.isEqualNode(whole)) wrong.push([text, element.innerHTML, whole.innerHTML]);
    }
    document.querySelectorAll("main *").forEach((element) => element.dispatchEvent(new MouseEvent("mouseover", { bubbles: true })));
    await new Promise((resolve) => setTimeout(resolve, 50));
    return [wrong, window.fired];
}"""

# Before `finish`, so that what the settled blocks say is compared as well; texts with late definitions differ on purpose.
GROW = """async ({ texts, size }) => {
    const { StreamingMarkup } = await import("core/streaming");
    const { render } = await import("core/markup");
    return texts.flatMap((text) => {
        const element = document.createElement("div");
        const streaming = new StreamingMarkup(element);
        for (let at = 0; at < text.length; at += size) {
            streaming.append(text.slice(at, at + size));
            streaming.render();
        }
        const whole = document.createElement("div");
        whole.append(render(streaming.text));
        return element.innerHTML.replace(/\\s+/g, " ").trim() === whole.innerHTML.replace(/\\s+/g, " ").trim()
            ? [] : [[text, element.innerHTML, whole.innerHTML]];
    });
}"""


@pytest.fixture
def module_page(page):
    page.add_init_script(TRAPS)
    page.foreign = open_modules(page)
    return page


def test_browser_renders_the_corpus_like_the_server(module_page):
    for case in cases():
        same, rendered = module_page.evaluate(SAME, {"text": case.text, "html": case.html + "\n"})
        assert same or rendered.rstrip("\n") == case.html.rstrip("\n"), (case.name, rendered)


def test_browser_renders_payloads_like_the_server(module_page):
    for payload in payloads():
        same, rendered = module_page.evaluate(SAME, {"text": payload, "html": markup.render(payload)})
        assert same, (payload, rendered)

    assert module_page.evaluate("window.fired") == []
    assert module_page.foreign == []


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
def test_payloads_in_pieces_run_and_load_nothing(module_page, size):
    wrong, fired = module_page.evaluate(STREAM, {"texts": payloads(), "size": size})

    assert wrong == []
    assert fired == []
    assert module_page.foreign == []


def test_payloads_in_pieces_inside_code_and_table_run_nothing(module_page):
    inside = [f"```html\n{payload}\n```\n" for payload in payloads()]
    inside += [f"| a | b |\n|---|---|\n| {payload.replace(chr(10), ' ')} | x |\n" for payload in payloads()]
    inside += [f"- item\n\n  > {payload}\n" for payload in payloads()]

    wrong, fired = module_page.evaluate(STREAM, {"texts": inside, "size": 5})

    assert wrong == []
    assert fired == []
    assert module_page.foreign == []


@pytest.mark.parametrize("size", [1, 4, 40])
def test_growing_text_ends_as_the_whole_text(module_page, size):
    late = "definitions after their use, and never used"
    texts = [case.text for case in cases() if case.name not in {late, "links", "pictures are links that name the host"}]
    texts = [text for text in texts if "]: " not in text]
    texts.append("\n\n".join(texts))

    assert module_page.evaluate(GROW, {"texts": texts, "size": size}) == []


def test_server_html_of_payloads_runs_nothing_in_a_page(page):
    page.add_init_script(TRAPS)
    foreign = open_modules(page, body="".join(markup.render(payload) for payload in payloads()))

    page.locator("a").first.hover()
    page.wait_for_timeout(100)

    assert page.evaluate("window.fired") == []
    assert foreign == []
    assert page.locator("img, script:not([type=importmap]), svg, iframe").count() == 0
