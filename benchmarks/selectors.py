"""Compares the parent selectors; see ``_compare_selectors.py``.

A script's directory comes first on the path, so the standard library's module of this name is not found by what any
script beside this one imports: whoever imports this file gets that module.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import sysconfig

found = importlib.machinery.PathFinder.find_spec("selectors", [sysconfig.get_path("stdlib")])
assert found is not None
assert found.loader is not None
sys.modules["selectors"] = importlib.util.module_from_spec(found)
found.loader.exec_module(sys.modules["selectors"])

if __name__ == "__main__":
    import _compare_selectors

    sys.exit(_compare_selectors.main())
