import pytest

pytest.register_assert_rewrite("peagen_ray.testing.queue_suite", "peagen_ray.testing.result_suite")
