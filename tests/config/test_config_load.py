"""Where settings come from, which wins, and what is said of a wrong one."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from peagen_ray.config.load import Flag, Loaded, load, mask
from peagen_ray.errors import ConfigError

Load = Callable[..., Loaded]


@pytest.fixture
def loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a text as the working directory's file; the environment holds only what is given."""
    monkeypatch.chdir(tmp_path)

    def loading(text: str | None = None, /, flags: Mapping[str, Any] | None = None, **environ: str) -> Loaded:
        if text is not None:
            (tmp_path / ".peagen.toml").write_text(text, encoding="utf-8")
        return load(environ=environ, flags=flags)

    return loading


def failure(load_: Load, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load_(*args, **kwargs)
    assert caught.value.exit_code == 2
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    return str(caught.value)


def test_without_a_file_everything_is_a_default(loading: Load) -> None:
    loaded = loading()
    assert loaded.path is None
    assert set(loaded.origin.values()) == {"default"}
    assert set(loaded.origin) == set(loaded.values())
    assert loaded.warnings == ()


def test_a_flag_comes_before_the_environment_before_the_file_before_the_default(loading: Load) -> None:
    text = "[evolve]\nseed = 1\ngeneration_size = 2\n\nselector = 'legacy'\n"
    loaded = loading(
        text,
        flags={
            "evolve.seed": 3,
            "evolve.goal": None,
            "evolve.stop.max_generations": Flag("--generations", 4),
        },
        PEAGEN__EVOLVE__SEED="2",
        PEAGEN__EVOLVE__GENERATION_SIZE="7",
    )
    evolve = loaded.config.evolve
    assert (evolve.seed, evolve.generation_size, evolve.selector, evolve.goal) == (3, 7, "legacy", "")
    assert loaded.origin["evolve.seed"] == "flag --seed"
    assert loaded.origin["evolve.stop.max_generations"] == "flag --generations"
    assert loaded.origin["evolve.generation_size"] == "env PEAGEN__EVOLVE__GENERATION_SIZE"
    assert loaded.origin["evolve.selector"] == "file .peagen.toml:5"
    assert loaded.origin["evolve.goal"] == "default"


def test_parent_directories_are_not_searched(
    loading: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading("[evolve]\nseed = 1\n")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert load(environ={}).path is None


def test_a_named_file_is_read_from_wherever_it_is(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text("[evolve]\nseed = 1\n")
    loaded = load(file, {})
    assert loaded.path == file
    assert loaded.origin["evolve.seed"] == f"file {file}:2"


def test_the_environment_is_read_at_the_call(monkeypatch: pytest.MonkeyPatch, loading: Load) -> None:
    monkeypatch.setenv("PEAGEN__EVOLVE__SEED", "41")
    assert load().config.evolve.seed == 41


def test_tables_of_the_file_and_of_the_environment_are_joined(loading: Load) -> None:
    loaded = loading(
        "[selector.epsilon]\nfloor = 0.1\n[[llm.backends]]\nname = 'groq'\n",
        PEAGEN__SELECTOR__EPSILON__DECAY="0.5",
        PEAGEN__EVOLVE="{seed = 5, stop = {no_improve = 3}}",
        PEAGEN__EVOLVE__STOP__RUN_TIMEOUT="30m",
    )
    assert loaded.config.selector == {"epsilon": {"floor": 0.1, "decay": 0.5}}
    assert (loaded.config.evolve.seed, loaded.config.evolve.stop.no_improve) == (5, 3)
    assert loaded.config.evolve.stop.run_timeout == timedelta(minutes=30)
    assert loaded.origin["selector.epsilon.floor"] == "file .peagen.toml:2"
    assert loaded.origin["selector.epsilon.decay"] == "env PEAGEN__SELECTOR__EPSILON__DECAY"
    assert loaded.origin["llm.backends"] == "file .peagen.toml:3"
    assert loaded.origin["evolve.stop.no_improve"] == "env PEAGEN__EVOLVE"


def test_what_an_evaluation_requests_is_what_its_task_does_unless_that_says_so_itself(loading: Load) -> None:
    text = "[evaluate.requests]\ncpus = 2\ntags = ['licence']\n[fabric.requests.execute]\ncpus = 4\n"
    loaded = loading(text, PEAGEN__EVALUATE__REQUESTS__MEMORY_MB="300")
    asked = loaded.config.fabric.requests.execute
    assert (asked.cpus, asked.memory_mb, asked.tags) == (4, 300, {"licence"})
    assert loaded.origin["fabric.requests.execute.tags"].endswith(":3")
    with pytest.raises(ConfigError, match=r"num_cpus.*cpus"):
        loading("[evaluate.requests]\nnum_cpus = 2\n")


def test_an_option_gives_way_to_a_table_of_its_name_and_back(loading: Load) -> None:
    text = "[selector.s]\nx = 1\n[selector.s.y]\nz = 1\n"
    loaded = loading(text, PEAGEN__SELECTOR__S__X__DEEP="2", PEAGEN__SELECTOR__S__Y="3")
    assert loaded.config.selector == {"s": {"x": {"deep": 2}, "y": 3}}


@pytest.mark.parametrize(
    ("text", "goal"),
    [
        ("shorter", "shorter"),
        ("2026", "2026"),
        ("true", "true"),
        ("1979-05-27", "1979-05-27"),
        ('"quoted"', "quoted"),
        ("#1 priority", "#1 priority"),
        ("1\nseed = 3", "1\nseed = 3"),
        ("", ""),
        ("[1]", "[1]"),
        ("[" * 5000, "[" * 5000),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_a_variable_is_a_literal_where_one_fits_and_else_text(loading: Load, text: str, goal: str) -> None:
    assert loading(PEAGEN__EVOLVE__GOAL=text).config.evolve.goal == goal


def test_a_variable_may_hold_any_literal(loading: Load) -> None:
    loaded = loading(
        PEAGEN__EVOLVE__ORDERED="true",
        PEAGEN__EVOLVE__STOP__TARGET_MS="2.5",
        PEAGEN__WORKER__DEFAULTS__CAPS='["cpu", "docker"]',
        PEAGEN__LLM__BACKENDS='[{name = "groq", weight = 2}]',
    )
    assert loaded.config.evolve.ordered is True
    assert loaded.config.evolve.stop.target_ms == 2.5
    assert loaded.config.worker.defaults.caps == {"cpu", "docker"}
    assert loaded.config.llm.backends[0].weight == 2.0


def test_workers_have_short_variables_below_the_long_ones(loading: Load) -> None:
    loaded = loading(WORKER_CAPS="cpu,docker", WORKER_PLUGINS="A,B")
    assert loaded.config.worker.defaults.caps == {"cpu", "docker"}
    assert loaded.config.worker.defaults.plugins == ("A", "B")
    assert loaded.origin["worker.defaults.caps"] == "env WORKER_CAPS"
    loaded = loading(WORKER_CAPS="cpu,docker", PEAGEN__WORKER__DEFAULTS__CAPS="gpu")
    assert loaded.config.worker.defaults.caps == {"gpu"}
    assert loading(WORKER_CAPS="").config.worker.defaults.caps == {"cpu"}


@pytest.mark.parametrize(
    ("value", "provider", "url"),
    [
        ("stub", "stub", ""),
        ("redis", "redis", "redis://from-file"),
        ("ray", "ray", ""),
        ("redis://h:1", "redis", "redis://h:1"),
        ("rediss://h", "redis", "rediss://h"),
        ("unix:///s.sock", "redis", "unix:///s.sock"),
        ("redis+sentinel://h/m", "redis", "redis+sentinel://h/m"),
        ("ray://head:10001", "ray", "ray://head:10001"),
        ("nats://h", "nats", "nats://h"),
    ],
)
def test_peagen_queue_is_a_name_or_an_address(loading: Load, value: str, provider: str, url: str) -> None:
    loaded = loading("[task_queue]\nprovider = 'redis'\nurl = 'redis://from-file'\n", PEAGEN_QUEUE=value)
    assert (loaded.config.task_queue.provider, loaded.config.task_queue.url) == (provider, url)
    assert loaded.origin["task_queue.provider"] == "env PEAGEN_QUEUE"


def test_peagen_queue_comes_before_flags_and_says_so_once(loading: Load) -> None:
    loaded = loading(
        PEAGEN_QUEUE="stub", flags={"task_queue.provider": Flag("--provider", "redis://u:secret@h")}
    )
    assert loaded.config.task_queue.provider == "stub"
    (warning,) = loaded.warnings
    assert warning == "PEAGEN_QUEUE: the queue is stub, although flag --provider says redis"


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_peagen_queue_says_nothing(loading: Load, value: str) -> None:
    loaded = loading(PEAGEN_QUEUE=value, PEAGEN__TASK_QUEUE__PROVIDER="ray")
    assert (loaded.config.task_queue.provider, loaded.warnings) == ("ray", ())


def test_peagen_queue_that_agrees_warns_of_nothing(loading: Load) -> None:
    assert loading("[task_queue]\nprovider = 'stub'\n", PEAGEN_QUEUE="stub").warnings == ()


def test_a_third_party_provider_keeps_an_address_of_any_kind(loading: Load) -> None:
    text = "[task_queue]\nprovider = 'mine'\nurl = 'redis://h'\n"
    assert loading(text, flags={"task_queue.provider": "mine"}).config.task_queue.url == "redis://h"


def test_an_unknown_key_is_named_with_its_line_and_the_nearest_one(loading: Load) -> None:
    message = failure(loading, "# mine\n[evolve]\nsed = 3\n")
    assert message == ".peagen.toml:3: evolve.sed: unknown key (did you mean evolve.seed?)"


@pytest.mark.parametrize(("switch", "isolation"), [("stub", "always"), ("", "worker"), ("ray", "worker")])
def test_the_emergency_switch_needs_no_worker_of_rays(loading: Load, switch: str, isolation: str) -> None:
    loaded = loading("[worker.defaults]\nisolation = 'worker'\n", PEAGEN_QUEUE=switch)
    assert loaded.config.worker.defaults.isolation == isolation
    origin = loaded.origin["worker.defaults.isolation"]
    assert origin == "env PEAGEN_QUEUE" if switch == "stub" else origin.startswith("file ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[evolv]\n", ".peagen.toml:1: evolv: unknown key (did you mean evolve?)"),
        ("[evolve]\ntarget_ms = 1\n", "did you mean evolve.stop.target_ms?"),
        ("[mutate]\nbudget_usdx = 1\n", "did you mean evolve.stop.budget_usd?"),
        ("[stop]\n", "did you mean evolve.stop?"),
        ("provider = 'stub'\n", "did you mean task_queue.provider or result_backend.provider?"),
        ("zzz = 1\n", "the tables are evaluate, evolve,"),
        ("[evaluate]\nzzz = 1\n", "the keys of [evaluate] are arguments"),
        ("[[llm.backends]]\nname='x'\ntimeout = 1\n", ":3: llm.backends[0].timeout: unknown key"),
        (
            "[[llm.backends]]\nname='x'\n[[llm.backends]]\n",
            ":3: llm.backends[1].name: is missing",
        ),
        ("evolve = 5\n", ".peagen.toml:1: evolve: must be a table, not a whole number"),
        ("[evolve]\nseed = '7'\n", ".peagen.toml:2: evolve.seed: must be a whole number, not a string"),
        ("[evolve]\nseed = 7.0\n", "must be a whole number, not a number with a point"),
        ("[evolve]\nordered = 1\n", "must be true or false, not a whole number"),
        ("[evolve]\nselector = 1979-05-27\n", "must be a string, not date"),
        ("[evolve]\nselector = ''\n", "evolve.selector: must not be empty"),
        ("[evolve]\nlook_ahead = 0\n", "must be greater than or equal to 1"),
        ("[worker.defaults]\ncaps = 5\n", "must be a list, not a whole number"),
        ("[worker.defaults]\ncaps = 'CPU'\n", "capability tag 'CPU' must be lower-case"),
        ("[worker.defaults]\ncaps = ''\n", "worker.defaults.caps: must not be empty"),
        ("[worker.defaults]\nmax_uptime = true\n", "must be a duration"),
        ("[worker.defaults]\nmax_uptime = '4 parsecs'\n", "'4 parsecs' is no duration"),
        ("[worker.defaults]\nisolation = 'never'\n", "must be 'auto', 'always' or 'worker'"),
        ("[mutate]\ntarget_file = 3\n", "must be a path, not a whole number"),
        ("[execute]\ntimeout_s = nan\n", "must be a finite number"),
        ("selector.epsilon = 5\n", "selector.epsilon: must be a table"),
    ],
)
def test_what_is_wrong_is_said_in_the_words_of_a_file(loading: Load, text: str, expected: str) -> None:
    assert expected in failure(loading, text)


def test_a_wrong_variable_is_named(loading: Load) -> None:
    message = failure(loading, PEAGEN__EVOLVE__SED="3")
    assert message == "env PEAGEN__EVOLVE__SED: evolve.sed: unknown key (did you mean evolve.seed?)"
    assert "must be a whole number, not a string" in failure(loading, PEAGEN__EVOLVE__SEED="abc")
    assert "env WORKER_CAPS: worker.defaults.caps: capability tag" in failure(loading, WORKER_CAPS="Cpu")


@pytest.mark.parametrize("name", ["PEAGEN__", "PEAGEN____X", "PEAGEN__EVOLVE__"])
def test_a_variable_that_names_no_key_is_refused(loading: Load, name: str) -> None:
    assert failure(loading, **{name: "1"}) == f"env {name}: is no key (write PEAGEN__<TABLE>__<KEY>)"


def test_a_wrong_flag_is_named(loading: Load) -> None:
    message = failure(loading, flags={"evolve.stop.max_generations": Flag("--generations", 0)})
    assert message.startswith("flag --generations: evolve.stop.max_generations: must be greater")


def test_a_wrong_setting_is_reported_though_another_overrides_it(loading: Load) -> None:
    assert ":2: evolve.seed" in failure(loading, "[evolve]\nseed = 'x'\n", flags={"evolve.seed": 3})


def test_all_problems_are_reported_at_once_in_the_order_of_the_file(loading: Load) -> None:
    text = (
        "[evolve]\nsed = 3\nselector = 5\n[[llm.backends]]\napi_key = 'sk-1'\n[templates]\nsearch_path = 3\n"
    )
    message = failure(loading, text, flags={"evolve.look_ahead": 0}, PEAGEN__NO__SUCH="1")
    first, *rest = message.splitlines()
    assert first == "configuration: 7 problems"
    places = [line.strip().partition(": ")[0] for line in rest]
    expected = [2, 3, 4, 5, 7]
    assert places == [*(f".peagen.toml:{n}" for n in expected), "env PEAGEN__NO__SUCH", "flag --look-ahead"]


@pytest.mark.parametrize(
    "text",
    [
        "[llm]\napi_key = 'sk-verysecret'\n",
        "[[llm.backends]]\nname = 'groq'\nAPI-Key = 'sk-verysecret'\n",
        "[llm]\nbackends = [{name = 'groq', token = 'sk-verysecret'}]\n",
        "[selector.mine]\nopenai_api_key = 'sk-verysecret'\n",
        "[task_queue]\npassword = 'sk-verysecret'\n",
        "[anything.at.all]\nclient_secret = 'sk-verysecret'\n",
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(loading: Load, text: str) -> None:
    message = failure(loading, text)
    assert "holds a secret (keys come from the environment, use api_key_env)" in message
    assert "sk-verysecret" not in message


def test_names_that_only_sound_like_secrets_are_allowed(loading: Load) -> None:
    text = "mutate.max_tokens = 5\nevolve.stop.budget_tokens = 9\n"
    text += "[[llm.backends]]\nname = 'x'\napi_key_env = 'K'\n"
    assert loading(text).config.llm.backends[0].api_key_env == "K"


@pytest.mark.parametrize(
    "url", ["http://u:hunter2@h/v1", "https://hunter2@h", "http://h/v1?key=hunter2", "hunter2"]
)
def test_an_endpoint_s_address_holds_no_secret_and_one_is_not_repeated(loading: Load, url: str) -> None:
    message = failure(loading, f"[[llm.backends]]\nname = 'x'\nbase_url = '{url}'\n")
    assert "llm.backends[0].base_url: must be an address" in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[evolve\nseed = 1\n", ".peagen.toml:1:8: not TOML: "),
        ("[evolve]\nseed = \n", ".peagen.toml:2:8: not TOML: "),
        ("[evolve]\nseed = 1\nseed = 2\n", ".peagen.toml:3:9: not TOML: "),
        ("[evolve]\ngoal = '''\n", ".peagen.toml:2: not TOML: "),
        ("x = " + "[" * 100_000, ".peagen.toml: not TOML: "),
        ("x = " + "1" * 5000, ".peagen.toml: not TOML: "),
    ],
)
def test_a_syntax_error_names_line_and_column(loading: Load, text: str, place: str) -> None:
    assert failure(loading, text).startswith(place)


def test_a_file_that_cannot_be_read_is_a_configuration_error(tmp_path: Path) -> None:
    def loading(path: Path) -> Loaded:
        return load(path, {})

    assert "No such file" in failure(loading, tmp_path / "none.toml")
    assert "Is a directory" in failure(loading, tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9\n")
    assert "is not UTF-8 text" in failure(loading, tmp_path / "latin.toml")


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ("redis://user:pass@host:1/0", "redis://user:***@host:1/0"),
        ("redis://:p@ss@host", "redis://:***@host"),
        ("redis://user:p/a#s?s@host:1/0", "redis://user:***@host:1/0"),
        ("redis://user:p a ss@host:1/0", "redis://user:***@host:1/0"),
        ("no answer from redis://u:p@h: ask a@b", "no answer from redis://u:***@h: ask a@b"),
        ("unix://user:pass@/run/s.sock", "unix://user:***@/run/s.sock"),
        ("redis://host:1/0", "redis://host:1/0"),
        ("redis://host?password=x&db=1", "redis://host?password=***&db=1"),
        ("plain", "plain"),
        (["a://b:c@d"], ["a://b:***@d"]),
        ({"k": "a://b:c@d"}, {"k": "a://b:***@d"}),
        (5, 5),
    ],
)
def test_passwords_in_addresses_are_masked(value: object, masked: object) -> None:
    assert mask(value) == masked


def test_values_never_show_a_password(loading: Load) -> None:
    loaded = loading(PEAGEN_QUEUE="redis://:hunter2@host")
    assert loaded.config.task_queue.url == "redis://:hunter2@host"
    assert "hunter2" not in str(loaded.values())
