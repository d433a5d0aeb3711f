import pytest

from apps.core.rules import file_name
from apps.files.names import content_disposition


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("%2e%2e%2fetc%2fpasswd", "%2e%2e%2fetc%2fpasswd"),
        ("/etc/passwd", "passwd"),
        ("a\x00b\r\nc.txt", "abc.txt"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("CON.txt", "_CON.txt"),
        ("lpt1", "_lpt1"),
        ("..", "file"),
        ("", "file"),
        ('a"b<c>.txt', "a_b_c_.txt"),
        ("x" * 300 + ".txt", "x" * 176 + ".txt"),
        ("\udcff.txt", "?.txt".replace("?", "_")),
        ("Größe.md", "Größe.md"),
    ],
)
def test_display_name_is_harmless(given, shown):
    assert file_name(given) == shown


@pytest.mark.parametrize(("name", "plain"), [("日本語.md", "file.md"), ("...", "file"), ("日本語", "file")])
def test_content_disposition_keeps_the_extension_where_no_letter_is_plain(name, plain):
    assert content_disposition(name, is_inline=False).startswith(f'attachment; filename="{plain}"; ')


def test_content_disposition_has_both_forms():
    assert content_disposition('Grö"ße\r\n.txt', is_inline=False) == (
        "attachment; filename=\"Gro_e__.txt\"; filename*=UTF-8''Gr%C3%B6%22%C3%9Fe%0D%0A.txt"
    )
