import pytest

pytest.register_assert_rewrite("peagen_ray.testing")
