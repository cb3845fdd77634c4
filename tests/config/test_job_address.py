"""Where the job server is looked for: the flag, Ray's variables in Ray's order, this machine."""

from __future__ import annotations

import os

import pytest

from peagen_ray.config.jobs import API, CLUSTER, DEFAULT, job_server_address, only_address
from peagen_ray.errors import ConfigError


@pytest.mark.parametrize(
    ("flag", "environ", "url", "origin"),
    [
        (None, {}, DEFAULT, "default"),
        ("http://a:1/", {API: "http://b:2"}, "http://a:1", "--address"),
        ("a:1", {}, "http://a:1", "--address"),
        ("https://a/ray", {}, "https://a/ray", "--address"),
        (None, {API: "http://b:2", CLUSTER: "http://c:3"}, "http://b:2", API),
        (None, {CLUSTER: "http://c:3"}, "http://c:3", CLUSTER),
        (None, {CLUSTER: "10.0.0.1:6379"}, "http://10.0.0.1:8265", CLUSTER),
        (None, {CLUSTER: "ray://head:10001"}, "http://head:8265", CLUSTER),
        (None, {CLUSTER: "[::1]:6379"}, "http://[::1]:8265", CLUSTER),
        (None, {CLUSTER: "auto"}, DEFAULT, "default"),
        (None, {API: "", CLUSTER: ""}, DEFAULT, "default"),
    ],
)
def test_who_says_where(flag, environ, url, origin):
    found = job_server_address(flag, environ)
    assert (found.url, found.origin) == (url, origin)


@pytest.mark.parametrize(
    "bad", ["ray://head:10001", "ftp://x", "http://", "http://x:port", "http://[::1", "://"]
)
def test_no_address_of_a_web_server_is_refused_with_advice(bad):
    with pytest.raises(ConfigError) as caught:
        job_server_address(bad, {})
    assert "--address" in caught.value.subject
    assert "http://HOST:8265" in caught.value.hint


def test_a_password_is_refused_and_not_repeated():
    with pytest.raises(ConfigError) as caught:
        job_server_address("http://me:secret@head:8265", {})
    assert "secret" not in str(caught.value)


def test_rays_variable_is_set_within_the_block_only(monkeypatch):
    monkeypatch.setenv(API, "http://before")
    with only_address("http://within"):
        assert os.environ[API] == "http://within"
    assert os.environ[API] == "http://before"
    monkeypatch.delenv(API)
    with only_address("http://within"):
        pass
    assert API not in os.environ
