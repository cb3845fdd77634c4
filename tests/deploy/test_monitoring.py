"""Prometheus and Grafana beside a cluster: what they are told is true of what runs there."""

import json
import re
import subprocess

import pytest
import yaml
from manifests import ROOT, Wrong, commands, documents
from prometheus import BOARDS, expressions, names_in, need_prometheus, program
from test_commands import _understood
from test_manifests import OTHERS

from peagen_ray.metrics import CATALOGUE, Type

DOCUMENTED = {
    **dict.fromkeys(("llm_tokens_total", "llm_latency_seconds", "evo_cost_usd_total")),
    **{metric.name: metric for metric in CATALOGUE},
}
"""What there is to ask for; those of language models are counted where models are asked."""

SERVICE = {"image", "command", "environment", "depends_on", "restart", "stop_grace_period", "healthcheck"}
SERVICE |= {"ports", "volumes", "shm_size", "profiles", "networks"}


def compose():
    (document,) = documents("deploy/docker-compose.yaml")
    return document


# ---- alerts --------------------------------------------------------------------------------------

ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yaml"
TESTS = ROOT / "tests" / "deploy" / "alerts_test.yaml"


def alerts():
    return {
        rule["alert"]: rule
        for group in yaml.safe_load(ALERTS.read_text())["groups"]
        for rule in group["rules"]
    }


def judged(tmp_path, rules):
    """Whether the tests of alerts pass with these rules."""
    (tmp_path / "alerts.yaml").write_text(rules)
    tests = TESTS.read_text().replace("../../deploy/prometheus/alerts.yaml", "alerts.yaml")
    (tmp_path / "test.yaml").write_text(tests)
    words = [program("promtool"), "test", "rules", tmp_path / "test.yaml"]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def test_every_alert_fires_when_it_should_and_not_otherwise(tmp_path):
    need_prometheus()
    done = judged(tmp_path, ALERTS.read_text())
    assert done.returncode == 0, done.stdout + done.stderr
    cases = [case for test in yaml.safe_load(TESTS.read_text())["tests"] for case in test["alert_rule_test"]]
    for fires in (True, False):
        quiet = {case["alertname"] for case in cases if bool(case.get("exp_alerts")) is fires}
        assert alerts().keys() - quiet <= (set() if fires else {"PeagenHandlerFailures"})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("> 50\n", "> 51\n"),
        ("> 50\n", "> 49\n"),
        ("for: 10m", "for: 5m"),
        ("max by (stream, kind)", "sum by (stream, kind)"),
        (">= 5\n", "> 5\n"),
        (">= 5\n", ">= 4\n"),
        ("> 0.10", "> 0.13"),
        ("> 0.10", "> 0.09"),
        ("> 2 *", "> 1.9 *"),
        ("> 2 *", "> 3 *"),
        ("offset 30m)) > 0", "offset 30m)) >= 0"),
        ("result_backend_fail_total) > 0", "result_backend_fail_total) > 1"),
        ("> 500e6", ">= 500e6"),
        ("> 500e6", "> 600e6"),
    ],
)
def test_another_bound_would_be_noticed(tmp_path, old, new):
    need_prometheus()
    assert old in ALERTS.read_text()
    assert judged(tmp_path, ALERTS.read_text().replace(old, new)).returncode == 1


def test_what_to_do_about_each_alert_is_in_the_runbook():
    for rule in alerts().values():
        path, _, anchor = rule["annotations"]["runbook"].partition("#")
        titles = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(), re.MULTILINE)
        assert anchor in {title.lower().replace(" ", "-") for title in titles}


# ---- queries -------------------------------------------------------------------------------------


def test_every_metric_is_on_a_dashboard_and_every_one_asked_for_exists():
    shown = {name for board in BOARDS for expression in expressions(board) for name in names_in(expression)}
    watched = {name for rule in alerts().values() for name in names_in(rule["expr"])}
    assert shown == DOCUMENTED.keys()
    assert watched <= DOCUMENTED.keys()


def test_the_guide_names_every_metric_and_its_configuration_is_one(tmp_path):
    guide = (ROOT / "docs/observability.md").read_text()
    rows = [line.split(" | ")[0] for line in guide.splitlines() if line.startswith("| `")]
    told = {
        name: set(labels.split(",")) - {""}
        for row in rows
        for name, labels in re.findall(r"`(\w+)(?:{([^}]*)})?`", row)
    }
    assert told.keys() == DOCUMENTED.keys()
    assert all(known is None or told[name] == set(known.labels) for name, known in DOCUMENTED.items())
    (text,) = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    (tmp_path / "alerts.yaml").write_text(ALERTS.read_text())
    (tmp_path / "prometheus.yaml").write_text(text)
    need_prometheus()
    words = [program("promtool"), "check", "config", tmp_path / "prometheus.yaml"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_one_that_grafana_lays_out(board):
    said = json.loads(board.read_text())
    assert said["uid"] == f"peagen-{board.stem}"
    assert [each["type"] for each in said["templating"]["list"]] == ["datasource"]
    ids, taken = [], set()
    for panel in said["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken
        taken |= cells
        ids.append(panel["id"])
        assert panel["title"]
        assert panel["type"] == "row" or (panel["targets"] and panel["description"])
    assert len(set(ids)) == len(ids)


def test_rates_are_of_counters_and_labels_are_those_of_the_catalogue():
    for expression in [each for board in BOARDS for each in expressions(board)]:
        for name in re.findall(r"(?:rate|increase)\((\w+)", expression):
            known = DOCUMENTED[re.sub(r"_(bucket|sum|count)$", "", name)]
            assert known is None or known.type is not Type.GAUGE, expression
        for name in names_in(expression):
            wanted = {
                label for found in re.findall(r"by \(([^)]*)\)", expression) for label in found.split(", ")
            }
            known = DOCUMENTED[name]
            assert known is None or wanted <= {*known.labels, "le"}, expression


# ---- what is deployed ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["prometheus.yaml", "pods.yaml"])
def test_prometheus_accepts_its_configuration(tmp_path, name):
    need_prometheus()
    said = yaml.safe_load((ROOT / "deploy" / "prometheus" / name).read_text())
    for job in said["scrape_configs"]:  # Debian's program knows no Kubernetes
        if (found := job.pop("kubernetes_sd_configs", None)) is not None:
            assert found == [{"role": "pod", "namespaces": {"own_namespace": True}}]
            job["static_configs"] = [{"targets": ["x:1"]}]
    (tmp_path / "alerts.yaml").write_text(ALERTS.read_text())
    (tmp_path / name).write_text(yaml.safe_dump(said))
    words = [program("promtool"), "check", "config", tmp_path / name]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_the_pods_that_are_read_are_those_that_show_something():
    said = yaml.safe_load((ROOT / "deploy/prometheus/pods.yaml").read_text())
    (peagen, ray) = said["scrape_configs"]
    keep, address, _ = peagen["relabel_configs"]
    pattern = re.compile(keep["regex"])
    assert all(pattern.fullmatch(each) for each in ("spawner-cpu;", "spawner-gpu;", "peagen-ray;head"))
    assert not any(pattern.fullmatch(each) for each in ("peagen-redis;", "peagen-ray;worker", "other;head"))
    port = address["replacement"].rpartition(":")[2]
    for path in ("deploy/k8s/spawner-cpu.yaml", "deploy/k8s/spawner-gpu.yaml"):
        (deployment,) = documents(path)
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["args"][-2:] == ["--metrics-port", port]
    assert f"--metrics-port {port} --detach" in (ROOT / "docs/clusters.md").read_text()
    assert ray["relabel_configs"][1]["replacement"].endswith(":8080")


def test_the_composition_has_all_parts_and_each_finds_the_others():
    services = compose()["services"]
    assert {"redis", "ray", "worker", "prometheus", "grafana"} == services.keys()
    assert compose().keys() <= {"name", "services", "volumes", "x-ours"}
    for name, service in services.items():
        assert service.keys() <= SERVICE, name
        assert service["image"] == OTHERS.get(name, service["image"])
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert (
                (ROOT / "deploy" / source).is_file()
                if source.startswith(".")
                else source in compose()["volumes"]
            )
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        assert all(other in services for other in service.get("depends_on", {}))
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yaml").read_text())
    (found,) = config["scrape_configs"][0]["dns_sd_configs"]
    assert set(found["names"]) == {"ray", "worker"}
    for name in found["names"]:
        words = services[name]["command"]
        (call,) = commands(words[-1].replace("exec ", "")) if words[0] == "sh" else [words[1:]]
        _understood(call)
        assert call[call.index("--metrics-port") + 1] == str(found["port"])
    address = yaml.safe_load((ROOT / "deploy/grafana/datasource.yaml").read_text())["datasources"][0]["url"]
    assert address == "http://peagen-prometheus:9090"
    assert "peagen-prometheus" in services["prometheus"]["networks"]["default"]["aliases"]


def test_the_composition_has_no_password_of_its_own():
    for where in ("environment",):
        for service in compose()["services"].values():
            secret = [value for key, value in service.get(where, {}).items() if "PASSWORD" in key]
            assert all(re.fullmatch(r"\$\{\w+:\?.+\}", value) for value in secret)


def test_a_key_that_stands_twice_in_the_composition_is_found(tmp_path):
    text = (ROOT / "deploy/docker-compose.yaml").read_text()
    planted = tmp_path / "compose.yaml"
    planted.write_text(text.replace("    shm_size: 2gb\n", "    shm_size: 2gb\n    shm_size: 3gb\n"))
    with pytest.raises(Wrong, match="twice"):
        documents(planted)
