import pytest
from django.test import Client


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/api/v1/projects/not-an-id/", "application/problem+json"),
        ("/api/v1/nothing/", "application/problem+json"),
        ("/nothing/", "text/html; charset=utf-8"),
    ],
)
def test_what_no_view_answers_is_a_problem_for_programs_and_a_page_for_people(client, path, media_type):
    answer = client.get(path)

    assert (answer.status_code, answer["Content-Type"]) == (404, media_type)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"HTTP_REFERER": "http://testserver/accounts/signup/?a=1"}, "Its page is older than your sign-in"),
        ({"HTTP_REFERER": "http://elsewhere.example/here"}, "Its page is older than your sign-in"),
        ({"HTTP_ORIGIN": "null"}, "Its page is older than your sign-in"),
        ({"secure": True}, "Its page is older than your sign-in"),
        ({"HTTP_ORIGIN": "http://elsewhere.example"}, "not the one of this Parlance"),
        ({"HTTP_REFERER": "https://elsewhere.example/here", "secure": True}, "not the one of this Parlance"),
    ],
)
def test_form_with_an_old_token_gets_a_page_that_leads_back(sent, said):
    browser = Client(enforce_csrf_checks=True)

    page = browser.post("/accounts/login/", {"login": "ines@example.com"}, **sent)

    html = page.content.decode()
    assert (page.status_code, said in html) == (403, True)
    came_from = sent.get("HTTP_REFERER", "")
    leads_back = f'href="{came_from}"' if "testserver" in came_from else 'href="/"'
    assert f"{leads_back}>Open the page anew" in html
    assert "elsewhere" not in html


@pytest.mark.django_db
@pytest.mark.parametrize("headers", [{"X-Fragment": "1"}, {"HX-Request": "true"}, {"Accept": "application/json"}])
def test_script_with_an_old_token_is_told_so(headers):
    answer = Client(enforce_csrf_checks=True).post("/theme/?theme=dark", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")


@pytest.mark.django_db
def test_forged_host_is_a_problem_for_programs(client):
    answer = client.get("/api/v1/me/", HTTP_HOST="evil.example")

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_program_that_writes_without_the_slash_is_told_the_address(client):
    written = client.post("/api/v1/conversations", {}, content_type="application/json")
    read = client.get("/api/v1/conversations")
    nothing = client.post("/api/v1/nothing", {}, content_type="application/json")

    assert (written.status_code, written["Content-Type"]) == (404, "application/problem+json")
    assert written.json()["detail"] == "This address ends in a slash: /api/v1/conversations/"
    assert (read.status_code, read["Location"]) == (301, "/api/v1/conversations/")
    assert "slash" not in nothing.json()["detail"]
