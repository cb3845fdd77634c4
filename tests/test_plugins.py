"""Plugins: real wheels' metadata on sys.path, found without being imported."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from peagen_ray import plugins
from peagen_ray.errors import MissingExtra, PluginConflict, PluginError, PluginNotFound
from peagen_ray.plugins import Group

SELECTORS = "peagen.parent_selectors"
Wheel = Callable[..., Path]


def test_our_own_wheel_registers_what_is_built_in() -> None:
    assert set(plugins.names(Group.TASK_QUEUES)) >= {"stub"}
    assert set(plugins.names(SELECTORS)) >= {"epsilon", "legacy"}
    assert plugins.reference(Group.TASK_QUEUES, "stub") == "peagen_ray.queues.stub:StubQueue"
    assert plugins.wheel(Group.TASK_QUEUES, "stub").startswith("peagen-ray ")


def test_names_are_found_and_nothing_is_imported(wheel: Wheel) -> None:
    wheel("zeta", "zz_last = zeta_module:Thing\nAA = zeta_module:Other", module="raise SystemError")
    names = plugins.names(SELECTORS)
    assert names == tuple(sorted(names))
    assert {"AA", "zz_last"} <= set(names)
    assert plugins.reference(SELECTORS, "zz_last") == "zeta_module:Thing"
    assert plugins.wheel(SELECTORS, "zz_last") == "zeta 1.0"
    assert "zeta_module" not in sys.modules


def test_only_the_one_that_is_asked_for_is_imported(wheel: Wheel) -> None:
    wheel("one", "one = one_module:Thing", module="class Thing: pass")
    wheel("two", "two = two_module:Thing", module="class Thing: pass")
    assert plugins.load(SELECTORS, "one").__module__ == "one_module"
    assert "two_module" not in sys.modules


def test_a_wheel_that_appears_later_is_found(wheel: Wheel) -> None:
    assert "late" not in plugins.names(SELECTORS)
    wheel("late", "late = late_module:Thing")
    assert "late" in plugins.names(SELECTORS)


def test_groups_are_apart(wheel: Wheel) -> None:
    wheel("apart", "apart = apart_module:Thing", group="peagen.mutators")
    assert "apart" not in plugins.names(SELECTORS)
    assert "apart" in plugins.names(Group.MUTATORS)


def test_a_group_of_another_name_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match=r"peagen\.selectors"):
        plugins.names("peagen.selectors")


def test_two_wheels_with_one_name_are_a_conflict_that_names_both(wheel: Wheel) -> None:
    wheel("left", "same = left_module:Thing", version="1.2")
    wheel("right", "same = right_module:Thing", version="3.4", module="class Thing: pass")
    for ask in (plugins.load, plugins.reference, plugins.wheel):
        with pytest.raises(PluginConflict, match=r"by left 1\.2 and by right 3\.4 \(uninstall all but one\)"):
            ask(SELECTORS, "same")
    assert plugins.names(SELECTORS).count("same") == 1


def test_two_wheels_that_mean_the_same_class_are_a_conflict_still(wheel: Wheel) -> None:
    wheel("left", "same = left_module:Thing")
    wheel("right", "same = left_module:Thing")
    with pytest.raises(PluginConflict):
        plugins.reference(SELECTORS, "same")


def test_one_wheel_seen_twice_is_no_conflict(wheel: Wheel) -> None:
    wheel("twin", "twin = twin_module:Old", version="0.9")
    wheel("twin", "twin = twin_module:Thing", version="1.0", module="class Thing: pass")
    assert plugins.load(SELECTORS, "twin").__name__ == "Thing"
    assert plugins.wheel(SELECTORS, "twin") == "twin 1.0"


def test_one_wheel_spelt_in_two_ways_is_no_conflict(wheel: Wheel) -> None:
    wheel("my_wheel", "mine = my_wheel_module:Thing")
    spelt = "Metadata-Version: 2.1\nName: My-Wheel\nVersion: 1.0\n"
    wheel("my_wheel", "mine = my_wheel_module:Thing", metadata=spelt)
    assert plugins.reference(SELECTORS, "mine") == "my_wheel_module:Thing"


def test_an_unknown_name_says_what_is_installed_and_what_is_near(wheel: Wheel) -> None:
    wheel("good", "thompson = good_module:Thing")
    with pytest.raises(PluginNotFound) as caught:
        plugins.load(SELECTORS, "thomson")
    assert caught.value.exit_code == 2
    assert "did you mean 'thompson'? installed: " in caught.value.hint
    assert "epsilon" in caught.value.hint


def test_a_name_in_other_letters_is_near(wheel: Wheel) -> None:
    wheel("loud", "xyz = loud_module:Thing")
    with pytest.raises(PluginNotFound, match="did you mean 'xyz'"):
        plugins.reference(SELECTORS, "XYZ")


def test_a_name_that_nothing_is_near_to_lists_what_is_installed() -> None:
    with pytest.raises(PluginNotFound, match=r"registers it \(installed: "):
        plugins.load(SELECTORS, "?")


def test_an_empty_group_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(PluginNotFound, match="none is installed"):
        plugins.load(Group.LLM_BACKENDS, "groq")


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("import a_module_that_is_not_there", "ModuleNotFoundError: No module named"),
        ("def broken(:", "SyntaxError"),
        ("import sys; sys.exit('leaving')", "SystemExit: leaving"),
        ("class Other: pass", "AttributeError"),
    ],
)
def test_a_failing_import_names_the_wheel_and_keeps_the_cause(wheel: Wheel, module: str, reason: str) -> None:
    wheel("broken", "broken = broken_module:Thing", module=module, version="2.0")
    with pytest.raises(PluginError) as caught:
        plugins.load(SELECTORS, "broken")
    assert reason in caught.value.what
    assert "'broken_module:Thing' cannot be imported" in caught.value.what
    assert caught.value.hint == "it is registered by broken 2.0"
    assert caught.value.subject == "peagen.parent_selectors 'broken'"
    assert caught.value.__cause__ is not None


def test_a_plugin_that_lacks_an_extra_says_so_itself(wheel: Wheel) -> None:
    text = (
        "from peagen_ray.errors import MissingExtra\nraise MissingExtra('no redis', hint='install x[redis]')"
    )
    wheel("extra", "extra = extra_module:Thing", module=text)
    with pytest.raises(MissingExtra, match=r"install x\[redis\]"):
        plugins.load(SELECTORS, "extra")


def test_a_reference_that_is_none_is_a_plugin_error(wheel: Wheel) -> None:
    wheel("odd", "odd = :::")
    with pytest.raises(PluginError, match="':::' cannot be imported"):
        plugins.load(SELECTORS, "odd")


def test_a_wheel_without_metadata_still_has_a_place_in_the_message(wheel: Wheel) -> None:
    wheel("bare", "bare = bare_module:Thing", metadata="")
    with pytest.raises(PluginError, match="registered by an unnamed wheel"):
        plugins.load(SELECTORS, "bare")
