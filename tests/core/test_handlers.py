import pytest


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
def test_forged_host_is_a_problem_for_programs(client):
    answer = client.get("/api/v1/me/", HTTP_HOST="evil.example")

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
