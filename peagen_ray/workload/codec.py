"""Codec: values as tagged JSON, so that they can leave an untrusted process.

``encode`` runs there, ``parse`` and ``decode`` on the trusted side: they never unpickle, never import, and
make no object of a class that the data names. The text is ``[version, root, heap]``: a container is a node of
the heap, and whoever holds it holds its number, so sharing and cycles are kept, and depth costs nothing.

====================================  ===============================================================
slot                                  means
====================================  ===============================================================
``null true 3 1.5 "x"``               that scalar (``NaN``, ``Infinity`` and ``-0.0`` as Python writes them)
``[5]``, ``[5, 2]``                   node 5 of the heap; row 2 of node 5, which is a ``rows``
``["bytes", "AQI="]``, ...            a leaf that JSON has no word for (``LEAVES``)
====================================  ===============================================================

====================================  ===============================================================
node                                  means
====================================  ===============================================================
``["list", slots]``                   also ``tuple``, ``set``, ``frozenset``
``["rows", "list", "tuple", rows]``   a list of tuples of scalars, in one piece
``["deque", slots, maxlen]``
``["dict", keys, values]``            also ``OrderedDict``, ``Counter``; ``defaultdict`` adds its factory
``["bytearray", base64]``
``["array", typecode, base64]``
``["ndarray", dtype, shape, base64]``  also ``npscalar`` with shape ``[]``; ``objects`` holds slots
``["iterator", slots, cut, error]``   what it yielded; whether there was more; what it raised, or null
``["object", type, base, names, values]``  base is the content of a built-in base class, or null
``["named", type, names, values]``    a named tuple
``["enum", type, name, value]``
``["error", type, message]``          an exception; the message is for people, and is not compared
====================================  ===============================================================
"""

from __future__ import annotations

from typing import Any

from peagen_ray.workload._decoder import materialise
from peagen_ray.workload._encoder import encode
from peagen_ray.workload._graph import Graph, parse
from peagen_ray.workload._values import Array, MalformedValue, Named, Opaque, ValueTooLarge

__all__ = [
    "Array",
    "Graph",
    "MalformedValue",
    "Named",
    "Opaque",
    "ValueTooLarge",
    "decode",
    "encode",
    "parse",
]


def decode(data: bytes) -> Any:
    """The value in ``data``, made of built-in types only.

    Instances of other classes become ``Opaque``, functions and classes ``Named``, numpy arrays ``Array`` (or
    real ones, where numpy is loaded), iterators ``Drained``.

    Raises:
        MalformedValue: ``data`` was not written by ``encode``.
    """
    return materialise(parse(data))
