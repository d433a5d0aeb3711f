"""Templates: what they make of records, and what they cannot be made to do."""

import re
import subprocess
import sys
import time

import pytest
from django.test import Client

from apps.bulk import engine
from apps.bulk import services as bulk
from apps.bulk.models import Item, Operation
from apps.core import markup
from apps.core.errors import Forbidden, VersionMismatch
from apps.extraction import paper, rendering, services, templating
from apps.extraction.erasers import _rows_of
from apps.extraction.models import Collection, RecordTemplate, TemplateRevision
from apps.extraction.template_types import (
    MAX_TEMPLATES_A_COLLECTION,
    TemplateFailed,
    TemplateNameTaken,
    TemplateRejected,
    TooManyTemplates,
)
from apps.files.models import File
from tests.accounts.factories import UserFactory, actor_of, reader_of
from tests.extraction.factories import people, record

RECORD = {"name": "Sarah", "tags": ["a", "b"], "born": "1996-03-04", "lives_in": {"name": "Lisbon", "_title": "Lisbon"}}


def made(source, *, is_html=False, **values):
    return templating.render(
        source, {"record": RECORD, "records": [RECORD, {"name": "Tomás"}]} | values, is_html=is_html
    )


# What a template may say


def test_values_loops_conditions_and_filters():
    source = (
        "{{ record.name|upper }}, {{ record.born|date }}, {{ record.lives_in }} / {{ record.lives_in.name }}, "
        "{{ record.tags|join(' + ') }}{% for row in records %} {{ loop.index }}.{{ row.name }}{% endfor %}"
        "{% if record.nothing.at.all is defined %}!{% endif %}{{ record.nothing.at.all }} {{ 'a' ~ (1 + 2) }} {{ records|length }}"
    )

    assert made(source) == "SARAH, 4 March 1996, Lisbon / Lisbon, a + b 1.Sarah 2.Tomás a3 2"


def test_values_are_escaped_in_html_and_what_is_written_there_is_cleaned():
    words = made("<b onclick='x()'>{{ name }}</b><script>alert(1)</script>", is_html=True, name="<img src=x onerror=y>")

    assert words.startswith("<b onclick='x()'>&lt;img src=x onerror=y&gt;</b>")
    assert markup.clean(words) == "<b>&lt;img src=x onerror=y&gt;</b>"
    assert markup.clean('<a href="javascript:x">y</a><p style="position:fixed">z') == (
        '<a rel="nofollow noopener noreferrer">y</a><p>z</p>'
    )


# What it may not


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ record.__class__ }}{{ record['__class__'] }}",
        "{{ range.__globals__ }}{{ self }}{{ cycler }}{{ lipsum }}{{ joiner }}{{ namespace }}",
        "{{ records|map(attribute='__class__')|list|join }}",
        "{% for x in [1] %}{{ loop.__init__ }}{{ loop.cycle }}{% endfor %}",
    ],
)
def test_there_is_nothing_behind_a_value(source):
    assert made(source).strip(", ") == ""


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'a'.upper() }}",
        "{{ record.items() }}",
        "{{ lipsum() }}",
        "{{ _step() }}",
        "{% set _measured = 1 %}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{% macro a() %}{% endmacro %}",
        "{% block a %}{% endblock %}",
        "{% set a %}x{% endset %}",
        "{% filter upper %}x{% endfilter %}",
        "{% for x in records recursive %}{{ x }}{% endfor %}",
        "{% autoescape false %}{{ record }}{% endautoescape %}",
        "{{ record|attr('name') }}",
        "{{ '{:>9}'|format(1) }}",
        "{{ 'a'|center(9) }}",
        "{{ record|tojson }}",
        "{{ record|safe }}",
        "{% set record.name = 1 %}",
        "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
        "{{",
        "x" * 40_001,
    ],
)
def test_what_is_not_part_of_templates_is_refused_before_it_runs(source):
    with pytest.raises(TemplateRejected):
        templating.check(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'x' * 1000000000 }}",
        "{{ [1] * 1000000000 }}",
        "{{ 2 ** 100000 }}",
        "{{ '%999999999d' % 1 }}",
        "{{ range(1000000000) }}",
        "{% for i in range(10000) %}{% for j in range(10000) %}{% endfor %}{% endfor %}",
        "{% for i in range(9999) %}" + "x" * 999 + "{% endfor %}",
        "{% set a = 'xxxxxxxxxx' %}" + "{% set a = a ~ a %}" * 40,
        "{% set a = 'xxxxxxxxxx' %}" + "{% set a = a + a %}" * 40,
        "{% set a = 'xxxxxxxxxx' %}" + "{% set a = a|replace('x', a) %}" * 9,
        "{% set a = [1, 1] %}" + "{% set a = [a, a] %}" * 40 + "{{ a }}",
        "{% set a = {'x': 1} %}" + "{% set a = {'x': a, 'y': a} %}" * 40 + "{{ a == a }}",
        "{% set a = 9 %}" + "{% set a = a * a %}" * 40,
        "{{ 1 / 0 }}",
        "{{ 'a' < 1 }}",
    ],
)
def test_what_grows_or_repeats_without_end_ends_soon(source):
    begun = time.process_time()

    with pytest.raises(TemplateFailed):
        made(source)

    assert time.process_time() - begun < 3


# Documents


def test_pdf_holds_more_than_one_page_of_any_alphabet():
    html = markup.for_paper(
        markup.render("# Olá Ж Ω\n\n- *a*\n  - **b**\n\n| A | B |\n|---|---|\n| 1 | 2 |\n\n" + "word " * 2000)
    )

    made_pdf = paper.pdf_of(html, title="Olá")

    assert made_pdf.startswith(b"%PDF-")
    assert made_pdf.count(b"/Type /Page\n") > 1
    with pytest.raises(TemplateFailed):
        paper.pdf_of("<p>" + "x" * paper.MAX_HTML + "</p>")


def test_web_loads_no_library_for_pdf():
    code = "import django; django.setup(); import config.urls, sys; sys.exit('fpdf' in sys.modules or 'fontTools' in sys.modules)"

    assert (
        subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False, capture_output=True).returncode == 0
    )


# Kept, changed, rendered


@pytest.fixture
def collection(me, project):
    return people(me, project)


@pytest.fixture
def sheet(me, collection):
    return services.make_template(actor=me, collection_id=collection.pk, name="Sheet", source="# {{ record.name }}")


@pytest.mark.django_db
def test_every_text_of_a_template_is_kept_for_those_who_see_it(me, project, collection, sheet):
    reader, stranger = actor_of(reader_of(project)), actor_of(UserFactory())
    changed = services.change_template(
        actor=me, template_id=sheet.pk, changes={"source": "## {{ record.name }}"}, expected_version=1
    )

    assert [(each.number, each.source) for each in rendering.list_template_revisions(changed)] == [
        (2, "## {{ record.name }}"),
        (1, "# {{ record.name }}"),
    ]
    with pytest.raises(VersionMismatch):
        services.change_template(actor=me, template_id=sheet.pk, changes={"name": "x"}, expected_version=1)
    with pytest.raises(TemplateNameTaken):
        services.make_template(actor=me, collection_id=collection.pk, name="Sheet", source="x")
    with pytest.raises(Forbidden):
        services.change_template(actor=reader, template_id=sheet.pk, changes={"source": "x"})
    assert list(rendering.list_templates(reader, collection_id=collection.pk)) == [changed]
    for number in range(1, MAX_TEMPLATES_A_COLLECTION):
        services.make_template(actor=me, collection_id=collection.pk, name=f"Sheet {number}", source="x")
    with pytest.raises(TooManyTemplates):
        services.make_template(actor=me, collection_id=collection.pk, name="One more", source="x")
    RecordTemplate.objects.exclude(pk=sheet.pk).delete()
    assert not rendering.visible_templates(stranger)
    assert len(_rows_of(me.user_id)["templates"]) == 2
    services.delete_template(actor=me, template_id=sheet.pk)
    assert not TemplateRevision.objects.exists()


@pytest.mark.django_db
def test_relations_stand_for_what_they_point_to(me, project, collection):
    lisbon = record(me, Collection.objects.get(slug="places"), name="Lisbon")
    tomas = record(me, collection, name="Tomás")
    sarah = record(me, collection, name="Sarah", lives_in=str(lisbon.pk), siblings=[str(tomas.pk)])
    source = (
        "{{ record.lives_in.name }} {% for each in record.siblings %}{{ each.name }}{% endfor %} {{ record.siblings }}"
    )

    assert rendering.words_of(source, collection, [sarah], me) == "Lisbon Tomás Tomás"


@pytest.mark.django_db
def test_api_keeps_and_renders(api, me, collection):
    sarah = record(me, collection, name="Sarah <b>")
    where = f"/api/v1/collections/{collection.pk}/templates/"
    kept = api.post(
        where,
        {"name": "Page", "source": "<i>{{ record.name }}</i><script>", "format": "html"},
        content_type="application/json",
    )
    one = f"{where}{kept.json()['id']}/"

    shown = api.post(f"{one}render/", {"records": [str(sarah.pk)]}, content_type="application/json")
    wrong = api.patch(one, {"source": "{{ x() }}"}, content_type="application/json")

    assert kept.status_code == 201
    assert shown.json() == {"content": "<i>Sarah &lt;b&gt;</i>", "format": "html"}
    assert (wrong.status_code, wrong.json()["code"]) == (400, "template_rejected")
    assert [row["name"] for row in api.get(where).json()["results"]] == ["Page"]
    assert [row["number"] for row in api.get(f"{one}revisions/").json()["results"]] == [1]
    assert api.delete(one).status_code == 204
    assert not RecordTemplate.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("is_of_set", [False, True])
def test_operation_makes_a_file_of_each_or_one_of_all_and_undo_takes_them_away(me, project, collection, is_of_set):
    record(me, collection, name="Sarah")
    record(me, collection, name="Tomás")
    template = services.make_template(
        actor=me,
        collection_id=collection.pk,
        name="Cast",
        source="{% for each in records %}# {{ each.name }}\n{% endfor %}",
        is_of_set=is_of_set,
    )
    params = {"collection": str(collection.pk), "template": str(template.pk), "as": "pdf"}

    _run(bulk.create_operation(actor=me, project_id=project.pk, kind="records.render", params=params, start=True))

    names = {"cast.pdf"} if is_of_set else {"sarah.pdf", "tomás.pdf"}
    assert set(File.objects.values_list("name", flat=True)) == names
    assert Item.objects.filter(status="succeeded").count() == len(names)
    _run(bulk.undo_operation(actor=me, operation_id=Operation.objects.get().pk))
    assert not File.objects.filter(deleted_at=None).exists()


def _run(operation):
    if Operation.objects.get(pk=operation.pk).status == "draft":
        engine.plan_operation(operation_id=operation.pk)
    engine.run_all()


@pytest.mark.django_db
def test_page_keeps_a_template_and_shows_what_it_makes(owner, project, me, collection, sheet):
    sarah = record(me, collection, name="Sarah")
    browser, reader, stranger = Client(), Client(), Client()
    browser.force_login(owner)
    reader.force_login(reader_of(project))
    stranger.force_login(UserFactory())
    where = f"/records/{collection.pk}/templates/"
    form = {"name": "Call sheet", "format": "markdown", "is_of_set": "no", "record": str(sarah.pk)}

    shown = browser.post(f"{where}new/preview/", form | {"source": "# Hello {{ record.name }}\n\n<script>x</script>"})
    wrong = browser.post(f"{where}new/", form | {"source": "{{ x() }}"})
    kept = browser.post(f"{where}new/", form | {"source": "# Hello {{ record.name }}"})

    assert "<h2>Hello Sarah</h2>" in shown.content.decode()
    assert "<script>x" not in shown.content.decode()
    assert wrong.status_code == 400
    assert "is not part of templates here" in wrong.content.decode()
    assert "<h2>Hello Sarah</h2>" in browser.get(kept.url).content.decode()
    assert "Call sheet" in browser.get(where).content.decode()
    begun = browser.post(f"{kept.url}make/", {"as": "markdown", "record": str(sarah.pk)})
    assert Operation.objects.get().params["ids"] == [str(sarah.pk)]
    assert begun.url == f"/operations/{Operation.objects.get().pk}/"
    assert reader.get(kept.url).status_code == 200
    assert reader.post(kept.url, form | {"source": "x"}).status_code == 403
    assert stranger.get(kept.url).status_code == 404
    page = browser.get(f"{where}{sheet.pk}/").content.decode()
    before, asking, after = re.split(r'(<dialog[^>]* id="delete-template".*?</dialog>)', page, flags=re.DOTALL)
    assert f'action="{where}{sheet.pk}/delete/"' in asking
    assert "/delete/" not in before + after
    assert browser.post(f"{where}{sheet.pk}/delete/").url == where
