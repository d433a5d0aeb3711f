"""Until a model or a person titles it, a conversation whose answer failed bears the first words of its first message."""

import pytest

from apps.conversations import services, titles
from apps.conversations.first_words import first_words
from apps.conversations.models import Conversation, TitleRequest
from apps.conversations.types import TurnStatus
from apps.core.models import Event
from tests.accounts.factories import UserFactory, join
from tests.conversations.factories import answer, say, start
from tests.llm.factories import set_defaults, stub_model

pytestmark = pytest.mark.django_db(transaction=True)

ENDS = [TurnStatus.FAILED, TurnStatus.STOPPED, TurnStatus.INTERRUPTED]


@pytest.fixture
def leo(project):
    leo = UserFactory(name="Leo Brandt")
    join(leo, project.organization)
    return leo


def title_of(conversation):
    return Conversation.objects.values_list("title", "title_source").get(pk=conversation.pk)


@pytest.mark.parametrize("status", ENDS)
def test_first_answer_that_ends_badly_leaves_the_first_words_as_title(ines, project, status):
    conversation = start(ines, project)

    answer(say(ines, conversation, "\n## Who rewrites\tthe **manifests**?\nAnd why?"), "", status=status)

    assert title_of(conversation) == ("Who rewrites the manifests?", "none")
    assert not TitleRequest.objects.exists()
    told = Event.objects.filter(type__startswith="conversations.conversation_changed").values_list("payload", flat=True)
    assert [payload["fields"] for payload in told] == [["title"]]


def test_message_of_files_alone_names_the_conversation_by_the_first_file():
    assert first_words("", [{"type": "file", "name": "manifest.pdf"}, {"type": "file", "name": "b"}]) == "manifest.pdf"


def test_first_words_stay_when_later_answers_fail_too(ines, project):
    conversation = start(ines, project)
    answer(say(ines, conversation, "First"), "", status=TurnStatus.FAILED)

    answer(say(ines, conversation, "Second"), "", status=TurnStatus.FAILED)

    assert title_of(conversation) == ("First", "none")


def test_first_words_give_way_to_the_title_a_model_writes(ines, project, provider):
    set_defaults(stub_model(provider, organization=project.organization))
    conversation = start(ines, project)
    answer(say(ines, conversation, "Who rewrites the manifests?"), "", status=TurnStatus.FAILED)
    answer(say(ines, conversation, "Once more"), "Nobody knows.")
    provider.script({"text": "Manifests of the port"})

    titles.write_title(conversation.pk)

    assert title_of(conversation) == ("Manifests of the port", "auto")


def test_first_words_are_never_written_over_a_typed_title(ines, project):
    conversation = start(ines, project, title="Mine")

    answer(say(ines, conversation, "Theirs"), "", status=TurnStatus.FAILED)
    services.change_conversation(actor=ines, conversation_id=conversation.pk, changes={"title": "Still mine"})

    assert title_of(conversation) == ("Still mine", "typed")


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("", ""),
        ("  \n---\n", ""),
        ("Short", "Short"),
        ("one two three four five six seven eight nine ten eleven twelve thirteen", None),
        ("x" * 100, "x" * 59 + "…"),
    ],
)
def test_first_words_are_as_much_as_a_list_shows(text, title):
    cut = "one two three four five six seven eight nine ten eleven…"

    assert first_words(text) == (cut if title is None else title)


def test_conversation_among_people_bears_its_first_words(ines, leo, project):
    conversation = start(ines, project)

    say(ines, conversation, "@Leo Brandt who rewrites the manifests?")
    say(ines, conversation, "@Leo Brandt never mind.")

    assert title_of(conversation) == ("@Leo Brandt who rewrites the manifests?", "none")
    told = Event.objects.filter(type__startswith="conversations.conversation_changed").values_list("payload", flat=True)
    assert [payload["fields"] for payload in told] == [["title"]]


def test_sensitive_words_among_people_name_nothing(ines, leo, project):
    conversation = start(ines, project)

    say(ines, conversation, "@Leo Brandt the secret is 4711.", sensitive=True)

    assert title_of(conversation) == ("", "none")


def test_typed_title_of_a_conversation_among_people_stays(ines, leo, project):
    conversation = start(ines, project, title="Mine")

    say(ines, conversation, "@Leo Brandt who rewrites the manifests?")

    assert title_of(conversation) == ("Mine", "typed")
