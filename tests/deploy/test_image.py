import pytest
import yaml
from manifests import ROOT, Wrong, check_dockerfile, instructions, kustomizations

TEXT = (ROOT / "Dockerfile").read_text()


def test_the_dockerfile_copies_what_is_there_and_ends_as_an_ordinary_user():
    check_dockerfile(TEXT)


def test_it_installs_the_constraints_versions_and_nothing_that_compiles_stays():
    installs = [words for name, words in instructions(TEXT) if name == "RUN" and "pip install" in words]
    assert installs
    assert all("-c constraints.txt" in words for words in installs)
    assert [name for name, _ in instructions(TEXT)].count("FROM") == 3


def test_it_has_the_client_of_the_engines_version():
    (kustomization,) = [each for each in kustomizations() if each.parent.name == "kuberay-docker"]
    images = {each["name"]: each["newTag"] for each in yaml.safe_load(kustomization.read_text())["images"]}
    version = images["peagen-engine"].removesuffix("-dind")
    assert f"FROM docker:{version}-cli AS client\n" in TEXT


def test_kubernetes_health_checks_have_the_programs_that_they_call():
    (packages,) = [words for name, words in instructions(TEXT) if "apt-get install" in words]
    assert {"tini", "wget"} <= set(packages.split())


def test_its_python_is_that_of_cluster_yaml():
    assert "ARG PYTHON=3.11\n" in TEXT
    assert "--python 3.11 " in (ROOT / "cluster.yaml").read_text()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("COPY constraints.txt", "COPY constraint.txt"),
        ("--from=build", "--from=builder"),
        ("USER 1000:1000", "USER root"),
        ("USER 1000:1000\n", ""),
        ("WORKDIR /source", "WORKDIRS /source"),
        ("COPY handlers", "COPY tests"),
        ('["tini", "--"]', '["tini", "--"'),
    ],
)
def test_an_error_in_it_is_found(old, new):
    assert old in TEXT
    with pytest.raises(Wrong):
        check_dockerfile(TEXT.replace(old, new))
