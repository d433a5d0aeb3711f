"""A number typed on a card is the number that a table makes of it."""

from tests.browser.modules import open_modules
from tests.extraction.test_typed_values import TYPED


def test_cards_read_numbers_as_tables_do(page):
    open_modules(page)
    cases = [[text, kind == "integer", language] for text, kind, *_rest in TYPED for language in ("en", "de")]

    found = page.evaluate(
        """async (cases) => {
            const { numberOf } = await import("extraction/numbers");
            return cases.map(([text, isWhole, language]) => numberOf(text, { isWhole, language }) ?? text);
        }""",
        cases,
    )

    assert found == [value for row in TYPED for value in row[2:]]
