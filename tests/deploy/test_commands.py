"""Every call of peagen-ray in the manifests and in the guide is one that peagen-ray understands."""

import os
import re

import pytest
import typer
from manifests import ROOT, commands, containers, documents

from peagen_ray.cli.app import app
from peagen_ray.cli.boundary import run

SPAWNERS = ["deploy/k8s/spawner-cpu.yaml", "deploy/k8s/spawner-gpu.yaml"]
SECRETS = {"PEAGEN_QUEUE": "redis://peagen-redis:6379", "PEAGEN_REDIS_PASSWORD": "secret"}


def _understood(words: list[str]) -> None:
    """Raises if a word is no command or option; runs nothing."""
    command = typer.main.get_command(app)
    context = command.make_context("peagen-ray", list(words), resilient_parsing=False)
    while hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)
        command = context.command


@pytest.mark.parametrize("path", SPAWNERS)
def test_a_spawner_would_do_what_it_says(path, monkeypatch, capsys, tmp_path):
    (container,) = containers(path)
    program, *words = container["args"]
    assert program == "peagen-ray"
    monkeypatch.chdir(tmp_path)
    for variable in [name for name in os.environ if name.startswith(("PEAGEN", "WORKER"))]:
        monkeypatch.delenv(variable)
    for each in container["env"]:
        monkeypatch.setenv(each["name"], each.get("value") or SECRETS[each["name"]])
    assert run(["--dry-run", *words]) == 0
    said = capsys.readouterr().out
    assert "would be" in said
    assert run(["config", "show"]) == 0
    assert "900" in capsys.readouterr().out


def test_the_job_is_understood_and_its_program_is_in_the_image():
    (job,) = documents("deploy/kuberay/rayjob.yaml")
    (words,) = commands(job["spec"]["entrypoint"])
    _understood(words)
    assert words[words.index("--provider") + 1] == "ray"
    target = words[words.index("--target-file") + 1]
    assert "COPY benchmarks/artifacts /opt/peagen/examples" in (ROOT / "Dockerfile").read_text()
    original = ROOT / target.replace("/opt/peagen/examples", "benchmarks/artifacts")
    assert f"def {words[words.index('--entry-fn') + 1]}(" in original.read_text()


def test_a_misspelt_option_is_found():
    (job,) = documents("deploy/kuberay/rayjob.yaml")
    (words,) = commands(job["spec"]["entrypoint"].replace("--entry-fn", "--entry-function"))
    with pytest.raises(Exception, match="entry-function"):
        _understood(words)


def test_what_is_submitted_is_a_call_too():
    text = "peagen-ray submit --address http://h:8265 -- evolve run --provider ray && peagen-ray caps"
    assert commands(text) == [
        ["submit", "--address", "http://h:8265"],
        ["evolve", "run", "--provider", "ray"],
        ["caps"],
    ]


def test_the_guides_commands_are_understood():
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/clusters.md").read_text(), re.DOTALL)
    calls = [words for block in blocks for words in commands(block)]
    assert len(calls) >= 4
    for words in calls:
        _understood(words)
