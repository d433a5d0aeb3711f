import pytest

from apps.conversations.excerpts import LENGTH, excerpt, without_marks


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("# The **port**\n\nat _night_", "The port at night"),
        ("- [ ] seal\n- [x] crane\n1. quay", "seal crane quay"),
        ("> What `gate`?\n\n```sql\nselect changed_at\n```", "What gate? select changed_at"),
        ("See [the log](https://port.example/log?a=1) and ![a crane](crane.jpg).", "See the log and a crane."),
        ("| Container | By |\n|---|--:|\n| MSKU 482 | terminal 7 |", "Container · By · MSKU 482 · terminal 7"),
        ("2 * 3 * 4 is not changed_at_gate", "2 * 3 * 4 is not changed_at_gate"),
        ("***all*** of ~~it~~ __now__", "all of it now"),
        ("def f(a, *, b): return a * b", "def f(a, *, b): return a * b"),
        ("a\n\n---\n\nb", "a b"),
        ("", ""),
    ],
)
def test_excerpt_has_words_and_no_marks(text, plain):
    assert without_marks(text) == plain


def test_excerpt_marks_whole_words_and_what_is_still_being_typed():
    assert excerpt("A **ledger** of ledgers, in led", ["a", "ledg"]) == (
        "\ue000A\ue001 \ue000ledger\ue001 of \ue000ledgers\ue001, in led"
    )


def test_excerpt_begins_near_the_match_and_says_what_is_left_out():
    found = excerpt("word " * 200 + "the ledger " + "word " * 200, ["ledger"])

    assert found.startswith("… word")
    assert found.endswith("word …")
    assert "the \ue000ledger\ue001 word" in found
    assert len(found) < LENGTH + 10


def test_marks_of_a_message_are_not_taken_for_matches():
    assert excerpt("\ue000no\ue001 ledger", ["ledger"]) == "no \ue000ledger\ue001"


def test_excerpt_of_a_long_text_without_spaces_is_quick_and_short():
    assert len(excerpt("|[*_" * 5000, ["ledger"])) <= LENGTH + 10
