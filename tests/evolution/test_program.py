"""Program and its bucket."""

from __future__ import annotations

import json

import pytest

from peagen_ray.evolution.descriptors import Places
from peagen_ray.evolution.program import Binning, Bucket, Outcome, Program


def test_the_default_bucket_is_the_contracts():
    program = Program(0, "x" * 119, speed_ms=24.9, peak_kb=64.0, gen=13)
    assert Places(Binning()).cell(program) == Bucket(speed=4, memory=2, size=2, age=1)


def test_the_widths_of_the_cells_are_configurable():
    binning = Binning(speed_bin_ms=0.5, mem_bin_kb=1.5, size_bin_ch=1)
    program = Program(0, "x" * 7, speed_ms=1.0, peak_kb=3.0, gen=6)
    assert Places(binning).cell(program) == Bucket(2, 2, 7, 0)


@pytest.mark.parametrize(
    "program",
    [
        Program(0, "x = 1\n"),
        Program(3, "", outcome=Outcome.ERROR, reason="ZeroDivisionError: \ud800", fingerprint="f" * 16),
        Program(
            9,
            "é",
            gen=2,
            parents=(1, 2),
            mutator="genetic/swap",
            seed=2**53 - 1,
            fitness=0.1,
            speed_ms=0.2,
            peak_kb=0.3,
            bucket=Bucket(1, 2, 3, 4),
            confirmed=True,
            metrics={"ratio": 1.5, "interval": [1.4, 1.6]},
        ),
    ],
)
def test_a_program_comes_back_from_json_as_it_was(program):
    again = Program.from_data(json.loads(json.dumps(program.to_data())))
    assert again == program
    assert again.bucket is None or isinstance(again.bucket, Bucket)


def test_a_copy_differs_only_in_what_was_changed():
    program = Program(1, "x = 1\n", fitness=0.5)
    assert program.with_(confirmed=True) == Program(1, "x = 1\n", fitness=0.5, confirmed=True)
    assert not program.confirmed
