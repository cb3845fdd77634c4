"""``python -m peagen_ray``: the same program as ``peagen-ray``."""

from peagen_ray.cli import main

if __name__ == "__main__":
    main()
