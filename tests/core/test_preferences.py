from datetime import date

import pytest
from django.core.management import CommandError, call_command

from apps.core import preferences
from apps.core.doors.settings import Level, Setting, settings_door
from apps.core.errors import Forbidden, Invalid, NotFound
from apps.core.ids import uuid7
from apps.core.models import Event, StoredSetting
from apps.core.types import SYSTEM, SystemActor

pytestmark = pytest.mark.django_db

ORGANIZATION, PROJECT, USER = uuid7(), uuid7(), uuid7()


@pytest.fixture(autouse=True)
def fresh():
    preferences.forget_kept()
    yield
    preferences.forget_kept()


@pytest.fixture
def size(monkeypatch):
    setting = Setting(
        "tests.size",
        int,
        10,
        "Size",
        minimum=1,
        maximum=100,
        profiles={"cluster": 20},
        environment="PARLANCE_TEST_SIZE",
    )
    monkeypatch.setitem(settings_door._items, setting.key, setting)
    return setting


def change(level, target_id, value, actor=SYSTEM, key="tests.size"):
    preferences.change_setting(actor=actor, key=key, level=level, target_id=target_id, value=value)
    preferences.forget_kept()


def value():
    preferences.forget_kept()
    return preferences.get("tests.size", organization=ORGANIZATION, project=PROJECT, user=USER)


def test_each_level_wins_over_the_one_below(size, settings, monkeypatch):
    seen = [value()]
    settings.PARLANCE_PROFILE = "cluster"
    seen.append(value())
    monkeypatch.setenv("PARLANCE_TEST_SIZE", "30")
    seen.append(value())
    for level, pk, number in (
        (Level.PLATFORM, None, 40),
        (Level.ORGANIZATION, ORGANIZATION, 50),
        (Level.PROJECT, PROJECT, 60),
        (Level.USER, USER, 70),
    ):
        change(level, pk, number)
        seen.append(value())

    assert seen == [10, 20, 30, 40, 50, 60, 70]
    layers = preferences.explain("tests.size", organization=ORGANIZATION, project=PROJECT, user=USER)
    assert [(layer.level.value, layer.value) for layer in layers if layer.is_in_force] == [("user", 70)]
    assert len(layers) == 7


def test_reset_gives_the_decision_back(size):
    change(Level.USER, USER, 70)

    preferences.reset_setting(actor=SYSTEM, key="tests.size", level=Level.USER, target_id=USER)

    assert value() == 10
    assert Event.objects.filter(type="core.setting_changed").count() == 2


@pytest.mark.parametrize("wrong", [0, 101, "5", True, None, 1.5, [1]])
def test_wrong_value_changes_nothing(size, wrong):
    with pytest.raises(Invalid):
        change(Level.PLATFORM, None, wrong)

    assert not StoredSetting.objects.exists()
    assert not Event.objects.exists()


def test_who_has_no_right_changes_nothing(size, monkeypatch):
    monkeypatch.setattr(preferences, "_may_change", lambda actor, level, target: target == USER)
    member = SystemActor(kind="member", user_id=USER)

    with pytest.raises(Forbidden):
        change(Level.ORGANIZATION, ORGANIZATION, 5, actor=member)
    change(Level.USER, USER, 5, actor=member)

    assert list(StoredSetting.objects.values_list("level", "value")) == [("user", 5)]


def test_level_that_a_setting_does_not_have_is_refused(monkeypatch):
    setting = Setting("tests.deep", bool, False, "Deep", levels=(Level.PLATFORM,))
    monkeypatch.setitem(settings_door._items, setting.key, setting)

    with pytest.raises(Invalid):
        change(Level.USER, USER, True, key="tests.deep")


def test_value_stored_under_an_earlier_declaration_does_not_count(size):
    StoredSetting.objects.create(key="tests.size", level="platform", value="large")

    assert value() == 10


def test_rows_are_read_once_in_two_seconds(size, django_assert_num_queries):
    with django_assert_num_queries(1):
        value()
        for _time in range(20):
            preferences.get("tests.size", organization=ORGANIZATION, project=PROJECT, user=USER)


def test_unknown_setting_is_refused():
    with pytest.raises(NotFound):
        preferences.get("tests.unknown")


def test_flag_needs_owner_and_date():
    with pytest.raises(ValueError, match="feature flag"):
        preferences.register(Setting("tests.flag", bool, False, "Flag", owner="spine"))


def test_command_explains_and_lists(size, monkeypatch, capsys):
    flag = Setting("tests.flag", bool, False, "Flag", owner="spine", remove_by=date(2020, 1, 1))
    monkeypatch.setitem(settings_door._items, flag.key, flag)
    monkeypatch.setenv("PARLANCE_TEST_SIZE", "30")

    call_command("settings", "explain", "tests.size")
    call_command("settings", "flags")

    said = capsys.readouterr().out
    assert "→ environment  30  (PARLANCE_TEST_SIZE)" in said
    assert "  default      10  (the code)" in said
    assert "tests.flag  spine  until 2020-01-01  OVERDUE" in said
    with pytest.raises(CommandError, match=r"tests\.size"):
        call_command("settings", "explain", "tests.nope")


def test_operator_sets_and_resets_a_value_for_the_platform(size, capsys):
    call_command("settings", "set", "tests.size", "42")
    assert value() == 42

    preferences.forget_kept()
    call_command("settings", "reset", "tests.size")
    assert value() == 10
    assert capsys.readouterr().out == "tests.size = 42\ntests.size = 10\n"


def test_operator_sets_nothing_that_is_wrong_or_unknown(size):
    with pytest.raises(CommandError):
        call_command("settings", "set", "tests.size", "many")
    with pytest.raises(CommandError, match="no setting of this name"):
        call_command("settings", "set", "tests.unknown", "1")

    assert value() == 10
