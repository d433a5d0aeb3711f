"""Markdown to safe HTML: the one renderer for what people, models and tools say.

``static/core/markup.js`` renders the same language in the browser while words arrive; this module's output replaces it.
One corpus (``tests/corpus/markup``) runs through both, so a rule that changes here changes there.

Nothing in the output loads anything by itself: an image becomes a link that names its host. Nothing in it needs words of
its own, so it is the same in every language; labels and buttons around code are added by the page.
"""

import re
from collections.abc import MutableMapping, Sequence
from html import escape
from typing import Final

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.utils import unescapeAll
from markdown_it.renderer import RendererProtocol
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

# Beyond these, Markdown costs more than a page may wait for; such a text is shown as it was written.
PLAIN_FROM_CHARACTERS: Final = 100_000
PLAIN_FROM_BRACKETS: Final = 20_000

_SCHEMES: Final = {"http", "https", "mailto"}
_ALLOWED_LINK: Final = re.compile(r"^(?:https?://[^/?#]|mailto:.)", re.IGNORECASE)
_HOST: Final = re.compile(r"^https?://(?:[^/?#]*@)?([^/?#@]+)", re.IGNORECASE)
# Written out by code point, because "white space" means different sets in Python and in JavaScript.
_BARE_LINK: Final = re.compile(
    r"https?://[^\x00-\x20\x7f-\xa0\u2000-\u206f\u3000-\u303f\uff00-\uffef<>\"`{}|\\^\[\]]+", re.IGNORECASE
)
_AFTER_LINK: Final = ".,;:!?'*_~"
_LANGUAGE: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9+#._-]{0,30}")
_HEAD_OF_LINE: Final = re.compile(r"(?:(?:#{1,6}|[>*+-]) )+")
_TAIL_OF_HEADING: Final = re.compile(r" #{1,6}\Z")
_LONGEST_LINE: Final = 400
_TASK: Final = re.compile(r"^\[([ xX])\] ")
_LINK_ATTRIBUTES: Final = {"rel": "nofollow noopener noreferrer", "target": "_blank"}
_ATTRIBUTES: Final[dict[str, set[str]]] = {
    "a": {"class", "href", "rel", "target", "title"},
    "code": {"class"},
    "div": {"class", "tabindex"},
    "figure": {"class"},
    "li": {"class"},
    "ol": {"start"},
    "pre": {"tabindex"},
    "span": {"class", "data-done"},
    "td": {"data-align"},
    "th": {"data-align", "scope"},
}
# fmt: off
_TAGS: Final = {
    *_ATTRIBUTES, "blockquote", "br", "em", "h2", "h3", "h4", "h5", "h6", "header", "hr", "p", "s", "small", "strong",
    "table", "tbody", "thead", "tr", "ul",
}
# fmt: on

_LONGEST_HTML: Final = 1_000_000
_RELATION: Final = "nofollow noopener noreferrer"
_WRITTEN_TAGS: Final = {*_TAGS, "b", "dd", "dl", "dt", "h1", "i", "sub", "sup", "u"}
_WRITTEN: Final = {
    "a": {"href", "title"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
}
_PAPER_TAGS: Final = {
    *(
        "a",
        "b",
        "blockquote",
        "br",
        "code",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "li",
        "ol",
        "p",
        "pre",
    ),
    *("strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr", "u", "ul"),
}


def render(text: str) -> str:
    """HTML that is safe to put into any page; equal input gives equal output."""
    if len(text) > PLAIN_FROM_CHARACTERS or text.count("[") > PLAIN_FROM_BRACKETS:
        html = f'<pre tabindex="0">{escape(text.replace(chr(0), chr(0xFFFD)), quote=False)}</pre>\n'
    else:
        html = _markdown.render(text)
    return nh3.clean(html, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes=_SCHEMES, link_rel=None)


def clean(html: str) -> str:
    """HTML that somebody wrote, as safe as what ``render`` gives: what may run, load or lay itself over the page is gone."""
    return nh3.clean(
        html[:_LONGEST_HTML], tags=_WRITTEN_TAGS, attributes=_WRITTEN, url_schemes=_SCHEMES, link_rel=_RELATION
    )


def for_paper(html: str) -> str:
    """The elements that can be set on paper, without the rest of what a page needs."""
    return nh3.clean(html, tags=_PAPER_TAGS, attributes={"a": {"href"}}, url_schemes=_SCHEMES, link_rel=None)


def escaped(text: str) -> str:
    return escape(text)


def plain_line(text: str) -> str:
    """The words of one line, its beginning when it is long; empty when there are only marks.

    What the language does not take for a mark stays: ``17 * 23``, ``<b>``, ``C#``, ``1.`` at the beginning.
    """
    line = " ".join(text[:_LONGEST_LINE].split())
    if not line.strip("#>*+-_`~ "):
        return ""
    if head := _HEAD_OF_LINE.match(line):
        line = line[head.end() :]
        line = _TAIL_OF_HEADING.sub("", line) if "#" in head[0] else line
    return " ".join("".join(token.content for token in _inline.parseInline(line)[0].children or []).split())


def _number_headings(state: StateCore) -> None:
    """Start at h2 whatever the writer began with, and never skip a level: the page's own title is the only h1."""
    open_levels: list[int] = []
    for token in state.tokens:
        if token.type == "heading_open":
            level = int(token.tag[1])
            while open_levels and open_levels[-1] >= level:
                open_levels.pop()
            open_levels.append(level)
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(len(open_levels) + 1, 6)}"


def _mark_tasks(state: StateCore) -> None:
    for index, token in enumerate(state.tokens[2:], start=2):
        opener = state.tokens[index - 2]
        if token.type != "inline" or opener.type != "list_item_open" or not token.children:
            continue
        first = token.children[0]
        if first.type != "text" or not (task := _TASK.match(first.content)):
            continue
        done = task[1] != " "
        box = Token("task", "span", 0, content="☑" if done else "☐", meta={"done": "true" if done else "false"})
        first.content = first.content[3:]
        token.children.insert(0, box)
        opener.attrSet("class", "task")


def _finish_links(state: StateCore) -> None:
    """Link bare addresses, mark every link as foreign, and keep a picture inside a link from nesting two links."""
    for block in state.tokens:
        if block.type != "inline" or not block.children:
            continue
        inside_link = False
        children: list[Token] = []
        for token in block.children:
            if token.type == "link_open":
                inside_link = True
                for name, value in _LINK_ATTRIBUTES.items():
                    token.attrSet(name, value)
            elif token.type == "link_close":
                inside_link = False
            elif token.type == "image":
                token.meta = {"inside_link": inside_link}
            elif token.type == "text" and not inside_link:
                children.extend(_split_bare_links(state, token))
                continue
            children.append(token)
        block.children = children


def _split_bare_links(state: StateCore, token: Token) -> list[Token]:
    found: list[Token] = []
    end = 0
    for match in _BARE_LINK.finditer(token.content):
        address = _trim_address(match[0])
        href = state.md.normalizeLink(address)
        if not state.md.validateLink(href):
            continue
        found.append(Token("text", "", 0, content=token.content[end : match.start()]))
        found.append(Token("link_open", "a", 1, attrs={"href": href, **_LINK_ATTRIBUTES}))
        found.append(Token("text", "", 0, content=address))
        found.append(Token("link_close", "a", -1))
        end = match.start() + len(address)
    if not found:
        return [token]
    return [*found, Token("text", "", 0, content=token.content[end:])]


def _trim_address(address: str) -> str:
    """The full stop after an address, and the bracket around it, belong to the sentence."""
    trimmed = address.rstrip(_AFTER_LINK)
    unmatched = trimmed.count(")") - trimmed.count("(")
    while unmatched > 0 and trimmed.endswith(")"):
        trimmed = trimmed[:-1].rstrip(_AFTER_LINK)
        unmatched -= 1
    return trimmed


def _render_image(
    renderer: RendererProtocol, tokens: Sequence[Token], index: int, options: OptionsDict, env: MutableMapping
) -> str:
    token = tokens[index]
    alternative = escape(renderer.renderInlineAsText(token.children or [], options, env))  # type: ignore[attr-defined]
    source = str(token.attrs["src"])
    host = _HOST.match(source)
    if host is None or token.meta["inside_link"]:
        return alternative
    attributes = "".join(f' {name}="{value}"' for name, value in _LINK_ATTRIBUTES.items())
    name = f"<small>{escape(host[1])}</small>"
    return f'<a class="remote-image" href="{escape(source)}"{attributes}>{alternative} {name}</a>'


def _render_code(
    renderer: RendererProtocol, tokens: Sequence[Token], index: int, options: OptionsDict, env: MutableMapping
) -> str:
    word, _, rest = unescapeAll(tokens[index].info).strip(" \t").partition(" ")
    language = found[0] if (found := _LANGUAGE.match(word)) else ""
    label = escape(" · ".join(filter(None, [language, rest.strip(" \t")[:100]])))
    language_class = f' class="language-{language}"' if language else ""
    code = escape(tokens[index].content, quote=False)
    return (
        f'<figure class="code"><header><span>{label}</span></header>'
        f'<pre tabindex="0"><code{language_class}>{code}</code></pre></figure>\n'
    )


def _render_task(
    renderer: RendererProtocol, tokens: Sequence[Token], index: int, options: OptionsDict, env: MutableMapping
) -> str:
    token = tokens[index]
    return f'<span class="tick" data-done="{token.meta["done"]}">{token.content}</span>'


def _render_cell(
    renderer: RendererProtocol, tokens: Sequence[Token], index: int, options: OptionsDict, env: MutableMapping
) -> str:
    """The parser writes the alignment as an inline style, which the page's policy forbids."""
    token = tokens[index]
    align = str(token.attrs.get("style", "")).removeprefix("text-align:")
    attributes = (' scope="col"' if token.tag == "th" else "") + (f' data-align="{align}"' if align else "")
    return f"<{token.tag}{attributes}>"


def _build() -> MarkdownIt:
    markdown = MarkdownIt(
        "commonmark", {"html": False, "breaks": True, "linkify": False, "typographer": False, "maxNesting": 100}
    )
    markdown.enable(["table", "strikethrough"])
    markdown.validateLink = lambda url: bool(_ALLOWED_LINK.match(url))  # type: ignore[method-assign]
    markdown.core.ruler.push("number_headings", _number_headings)
    markdown.core.ruler.push("mark_tasks", _mark_tasks)
    markdown.core.ruler.push("finish_links", _finish_links)
    markdown.add_render_rule("image", _render_image)
    markdown.add_render_rule("fence", _render_code)
    markdown.add_render_rule("code_block", _render_code)
    markdown.add_render_rule("task", _render_task)
    markdown.add_render_rule("th_open", _render_cell)
    markdown.add_render_rule("td_open", _render_cell)
    markdown.add_render_rule("table_open", lambda *_: '<div class="scroll-x" tabindex="0"><table>\n')
    markdown.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return markdown


_markdown: Final = _build()
# A code for a character (``&lt;``) is what somebody wrote, and no mark.
_inline: Final = MarkdownIt("commonmark", {"html": False, "maxNesting": 100}).enable("strikethrough").disable("entity")
