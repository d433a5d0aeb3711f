"""Choices: who decides, when, and what the run hears of it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.models import OrganizationMember
from apps.accounts.services import organizations
from apps.accounts.types import SYSTEM
from apps.core.errors import Forbidden, Invalid
from apps.workflows import selectors, services
from apps.workflows.models import Choice, Run, Step
from apps.workflows.types import ChoiceClosed
from tests.accounts.factories import actor_of, member_of, reader_of
from tests.workflows.factories import ran, walked

pytestmark = pytest.mark.django_db

OPTIONS = [
    {
        "key": "sea",
        "title": "At sea",
        "category": "recommended",
        "difficulty": "low",
        "time": "2 days",
        "impact": "high",
    },
    {"key": "court", "title": "In court", "category": "alternative"},
]


def asked(actor, project, **more):
    given = {"question": "${ .what }", "options": OPTIONS, **more}
    do = [
        {"ending": {"call": "choose", "with": given}},
        {"way": {"switch": [{"late": {"when": ".timed_out", "then": "late"}}, {"else": {"then": "taken"}}]}},
        {"late": {"set": {"late": True}, "then": "end"}},
        {"taken": {"set": "${ . }"}},
    ]
    run = ran(actor, project, do, {"what": "How does it end?"})
    return run, selectors.list_choices(run).get()


def test_first_answer_decides_and_the_run_goes_on(actor, project):
    run, choice = asked(actor, project)
    assert (run.status, run.waits_for, choice.question) == ("waiting", "choose", "How does it end?")

    services.answer_choice(actor=actor, run_id=run.pk, choice_id=choice.pk, option="sea")
    run = walked(run)

    assert run.status == "completed"
    assert run.output == {
        "choice": "sea", "title": "At sea", "text": "", "by": str(actor.user_id), "timed_out": False,
    }  # fmt: skip
    with pytest.raises(ChoiceClosed):
        services.answer_choice(actor=actor, run_id=run.pk, choice_id=choice.pk, option="court")


def test_own_words_are_an_answer_unless_they_are_not_wanted(actor, project):
    run, choice = asked(actor, project)
    services.answer_choice(actor=actor, run_id=run.pk, choice_id=choice.pk, text="In the rain")
    assert walked(run).output["text"] == "In the rain"

    Choice.objects.filter(pk=choice.pk).update(takes_own=False, status="open")
    run.status = "waiting"
    run.save()
    with pytest.raises(Invalid):
        services.answer_choice(actor=actor, run_id=run.pk, choice_id=choice.pk, text="In the rain")
    with pytest.raises(Invalid):
        services.answer_choice(actor=actor, run_id=run.pk, choice_id=choice.pk, option="no such")


def test_quorum_waits_until_so_many_agree(actor, project):
    run, choice = asked(actor, project, rule="quorum", quorum=2)
    others = [actor_of(member_of(project)) for _number in range(2)]

    services.answer_choice(actor=actor, run_id=run.pk, choice_id=choice.pk, option="sea")
    services.answer_choice(actor=others[0], run_id=run.pk, choice_id=choice.pk, option="court")
    assert walked(run).status == "waiting"
    services.answer_choice(actor=others[1], run_id=run.pk, choice_id=choice.pk, option="court")

    assert walked(run).output["choice"] == "court"


def test_vote_is_counted_when_everybody_voted_or_at_the_deadline(actor, project):
    other = actor_of(member_of(project))
    run, choice = asked(actor, project, rule="vote", deadline="PT1H")

    services.answer_choice(actor=actor, run_id=run.pk, choice_id=choice.pk, option="court")
    assert walked(run).status == "waiting"
    Choice.objects.filter(pk=choice.pk).update(deadline=timezone.now() - timedelta(seconds=1))
    assert services.close_overdue(actor=SYSTEM) == 1

    assert walked(run).output["choice"] == "court"
    run, choice = asked_again(actor, project)
    for who in (actor, other):
        services.answer_choice(actor=who, run_id=run.pk, choice_id=choice.pk, option="sea")
    assert walked(run).output["choice"] == "sea"


def asked_again(actor, project):
    given = {"question": "Again?", "options": OPTIONS, "rule": "vote"}
    run = ran(actor, project, [{"ending": {"call": "choose", "with": given}}], name="again")
    return run, selectors.list_choices(run).get()


def leave(actor, *people):
    for member in OrganizationMember.objects.filter(user__in=[who.user_id for who in people]):
        organizations.remove_member(actor=actor, member_id=member.pk)


def later(choice):
    """It was not looked at for a while."""
    Choice.objects.filter(pk=choice.pk).update(updated_at=timezone.now() - timedelta(minutes=2))


def test_vote_is_decided_when_the_last_one_whose_answer_is_missing_leaves(actor, project):
    others = [actor_of(member_of(project)) for _number in range(3)]
    run, choice = asked(actor, project, rule="vote")
    services.answer_choice(actor=actor, run_id=run.pk, choice_id=choice.pk, option="sea")
    for who in others[:2]:
        services.answer_choice(actor=who, run_id=run.pk, choice_id=choice.pk, option="court")
    later(choice)
    assert (services.judge_open(actor=SYSTEM), walked(run).status) == (0, "waiting")
    assert selectors.list_choices_to_judge() == [], "others have their turn"

    leave(actor, *others)
    later(choice)

    assert services.judge_open(actor=SYSTEM) == 1
    assert walked(run).output["choice"] == "sea", "two of the three votes are of people who left"


def test_answers_of_who_left_make_no_quorum_and_the_page_says_who_can_answer(actor, api, client, owner, project):
    other = actor_of(member_of(project))
    run, choice = asked(actor, project, rule="quorum", quorum=2)
    services.answer_choice(actor=other, run_id=run.pk, choice_id=choice.pk, option="sea")
    client.force_login(owner)
    page = client.get(f"/runs/{run.pk}/").content.decode()
    assert f"Not answered yet: {owner.display_name}." in page
    assert "1 answer so far" in page

    leave(actor, other)
    services.answer_choice(actor=actor, run_id=run.pk, choice_id=choice.pk, option="sea")

    assert walked(run).status == "waiting"
    (told,) = api.get(f"/api/v1/runs/{run.pk}/").json()["choices"]
    assert (told["asked_count"], told["left_count"], told["left"], len(told["answers"])) == (1, 0, [], 2)
    page = client.get(f"/runs/{run.pk}/").content.decode()
    assert "Only 1 person can answer now, and 2 have to say the same. It waits until others can." in page
    assert "1 answer so far" in page


def test_vote_out_of_time_is_counted_without_those_who_left(actor, project):
    other = actor_of(member_of(project))
    run, choice = asked(actor, project, rule="vote", deadline="PT1H")
    services.answer_choice(actor=other, run_id=run.pk, choice_id=choice.pk, option="court")
    leave(actor, other)
    Choice.objects.filter(pk=choice.pk).update(deadline=timezone.now() - timedelta(seconds=1))

    assert services.close_overdue(actor=SYSTEM) == 1

    assert walked(run).output == {"late": True}


def test_what_nobody_answers_takes_the_branch_of_its_deadline(actor, project):
    run, choice = asked(actor, project, deadline="PT1H")
    Choice.objects.filter(pk=choice.pk).update(deadline=timezone.now() - timedelta(seconds=1))

    services.close_overdue(actor=SYSTEM)

    assert walked(run).output == {"late": True}


def test_only_who_is_asked_answers(actor, project):
    run, choice = asked(actor, project, to="manager")

    for who in (member_of(project), reader_of(project)):
        with pytest.raises(Forbidden):
            services.answer_choice(actor=actor_of(who), run_id=run.pk, choice_id=choice.pk, option="sea")

    assert walked(run).status == "waiting"


@pytest.mark.parametrize(
    ("kind", "text", "answer"), [("number", "31", 31), ("boolean", "true", True), ("text", "Lisbon", "Lisbon")]
)
def test_ask_gives_an_answer_of_its_type(actor, project, kind, text, answer):
    run = ran(actor, project, [{"age": {"call": "ask", "with": {"question": "How old is Tomás?", "type": kind}}}])
    choice = selectors.list_choices(run).get()

    services.answer_choice(actor=actor, run_id=run.pk, choice_id=choice.pk, text=text)

    assert walked(run).output["answer"] == answer
    assert type(run.output) is not str


def test_number_is_asked_for_until_it_is_one(actor, project):
    run = ran(actor, project, [{"age": {"call": "ask", "with": {"question": "How old?", "type": "number"}}}])
    choice = selectors.list_choices(run).get()

    with pytest.raises(Invalid):
        services.answer_choice(actor=actor, run_id=run.pk, choice_id=choice.pk, text="old")

    assert walked(run).status == "waiting"


@pytest.mark.parametrize(
    ("text", "number"),
    [("nan", None), ("inf", None), ("-Infinity", None), ("1e999", None), ("1e3", 1000), ("2.5", 2.5)],
)
def test_answer_that_is_no_number_json_has_is_refused(actor, project, text, number):
    run = ran(actor, project, [{"age": {"call": "ask", "with": {"question": "How old?", "type": "number"}}}])
    choice = selectors.list_choices(run).get()

    if number is None:
        with pytest.raises(Invalid):
            services.answer_choice(actor=actor, run_id=run.pk, choice_id=choice.pk, text=text)
        assert walked(run).status == "waiting"
        return
    services.answer_choice(actor=actor, run_id=run.pk, choice_id=choice.pk, text=text)
    assert walked(run).output["answer"] == number


def test_question_of_a_branch_is_open_again_when_its_sibling_is_tried_again(actor, project):
    broken = {"set": {"x": '${ if $input.ok then 1 else error("no") end }'}}
    branches = [{"who": {"call": "ask", "with": {"question": "Who?"}}}, {"broken": broken}]
    run = ran(actor, project, [{"both": {"fork": {"branches": branches}}}], {"ok": False})
    assert (run.status, selectors.list_choices(run).get().status) == ("failed", "withdrawn")

    services.retry_run(actor=actor, run_id=run.pk)
    again = walked(run)

    assert again.status == "failed"
    assert selectors.list_choices(run).get().status == "withdrawn", "nobody answered it for anybody"
    assert not Step.objects.filter(run=again, path__endswith="/who", status="completed").exists()


def test_question_that_is_open_again_has_its_time_anew(actor, project):
    broken = {"set": {"x": '${ if $input.ok then 1 else error("no") end }'}}
    branches = [{"who": {"call": "ask", "with": {"question": "Who?", "deadline": "PT1H"}}}, {"broken": broken}]
    run = ran(actor, project, [{"both": {"fork": {"branches": branches}}}], {"ok": False})
    Choice.objects.update(created_at=timezone.now() - timedelta(hours=3), deadline=timezone.now() - timedelta(hours=2))

    services.retry_run(actor=actor, run_id=run.pk)

    choice = selectors.list_choices(run).get()
    assert choice.status == "open"
    assert timedelta(minutes=59) < choice.deadline - timezone.now() <= timedelta(hours=1)
    assert services.close_overdue(actor=SYSTEM) == 0

    Run.objects.filter(pk=run.pk).update(status="queued")
    walked(run)
    services.retry_run(actor=actor, run_id=run.pk)
    assert timedelta(minutes=59) < selectors.list_choices(run).get().deadline - timezone.now() <= timedelta(hours=1)
