import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "sandbox"))

pytest.register_assert_rewrite("peagen_ray.testing")
