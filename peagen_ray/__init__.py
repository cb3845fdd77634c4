"""peagen-ray: improve programs by evolution, on a laptop or on Ray."""

from peagen_ray._version import __version__

__all__ = ["__version__"]
