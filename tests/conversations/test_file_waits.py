import asyncio
import time

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from apps.accounts.types import SYSTEM
from apps.conversations import context, services
from apps.conversations.file_waits import wait_for_files
from apps.core.db import in_thread
from apps.files import engine
from apps.llm.types import KnowledgeContent, TextContent
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of
from tests.conversations.factories import say, start
from tests.files import samples
from tests.files.factories import upload
from tests.files.fixtures import own_folder

__all__ = ["own_folder"]

pytestmark = pytest.mark.django_db(transaction=True)


def asked_about_a_document():
    owner = UserFactory()
    project = ProjectFactory(owner=owner)
    file = upload(owner, project, samples.docx("Nine hundred euros"), "lease.docx")
    posted = say(actor_of(owner), start(actor_of(owner), project), "What is the rent?", attachments=[file.pk])
    return file, services.claim_turn(actor=SYSTEM, turn_id=posted.turn.pk, worker="test")


def parts_of(found):
    return [part for message in found.messages for part in message.parts]


async def test_answer_waits_for_the_words_of_a_document():
    file, held = await sync_to_async(asked_about_a_document)()
    first = await in_thread(context.read_context, held)
    assert first.unread_files == (file.pk,)

    waiting = asyncio.create_task(wait_for_files(held, first))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await in_thread(engine.process_file, file_id=file.pk)
    found = await waiting
    await sync_to_async(connections.close_all)()

    assert found.unread_files == ()
    (words,) = [part for part in parts_of(found) if isinstance(part, KnowledgeContent)]
    assert (words.title, words.text) == ("lease.docx", "Nine hundred euros")


async def test_answer_goes_on_without_a_document_that_nobody_reads(settings):
    settings.PARLANCE_TIME_SCALE = 0.05
    _file, held = await sync_to_async(asked_about_a_document)()
    begun = time.monotonic()

    found = await wait_for_files(held, await in_thread(context.read_context, held))
    await sync_to_async(connections.close_all)()

    assert 0.9 < time.monotonic() - begun < 4
    assert any("lease.docx" in part.text for part in parts_of(found) if isinstance(part, TextContent))
