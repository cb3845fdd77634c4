"""The workload file that a person starts from, fitted to the entry's parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable

from peagen_ray.workload.target import Parameter, TargetInfo, TargetKind

_WORD = '"".join(rng.choices("abcdefgh", k=5))'
_ELEMENTS = {
    "int": "rng.randint(0, size)",
    "float": "rng.uniform(0, 100)",
    "str": _WORD,
    "bool": "rng.random() < 0.5",
}
_SCALARS = {
    "int": "rng.randint(1, max(1, size))",
    "float": "rng.uniform(0, 100)",
    "bool": "rng.random() < 0.5",
    "str": '"".join(rng.choices("abc de", k=size))',
    "bytes": "rng.randbytes(size)",
}
_NAMES = (
    (r"n|k|m|size|count|num|limit|times|depth|target|index|i|j|start|end|lo|hi|low|high", "int"),
    (r"s|t|text|string|word|line|name|key|pattern|sentence|prefix|suffix", "str"),
    (r"matrix|grid|board|a_matrix|b_matrix", "list[list[int]]"),
    (r"graph|edges|adjacency|tree", "dict[str, list[str]]"),
    (r"d|mapping|counts|table|lookup", "dict[str, int]"),
    (r"words|names|strings|lines|tokens", "list[str]"),
    (r"x|y|z|value|ratio|epsilon|alpha|beta", "float"),
)
_DICTS = ("dict", "Dict", "Mapping", "MutableMapping", "defaultdict")
_LISTS = ("list", "List", "Sequence", "Iterable", "Collection", "MutableSequence")


def template(info: TargetInfo) -> str:
    """A workload file with an ``inputs`` to fill in, and a commented ``check``.

    Args:
        info: from ``target.inspect_source``.
    """
    body = _module_body() if info.kind is TargetKind.MODULE else _entry_body(info)
    name = info.entry or "the module"
    return f'''"""What {name} is improved on."""


def inputs(rng, size):
    """The arguments of one call. The size grows until the call can be timed; rng is a random.Random."""
{body}

# def check(args, output):
#     """Optional: whether the output is right. Without it, the original's output is."""
#     return output is not None
'''


def _module_body() -> str:
    return '''    return ([rng.randint(0, size) for _ in range(size)],)


def call(module, data):
    """What is timed: module is the program, the rest is what inputs returned."""
    return module.main(data)

'''


def _entry_body(info: TargetInfo) -> str:
    args = [p for p in info.parameters if _is_needed(p)]
    init = [p for p in info.init_parameters if _is_needed(p)]
    taken = {p.name for p in args}
    init_names = [f"init_{p.name}" if p.name in taken else p.name for p in init]
    lines = _assignments(zip(init_names, init, strict=True)) + _assignments((p.name, p) for p in args)
    positional = _tuple([p.name for p in args if not p.keyword_only])
    named = ", ".join(f'"{p.name}": {p.name}' for p in args if p.keyword_only)
    if info.kind is not TargetKind.METHOD and not named:
        return "".join([*lines, f"    return {positional}\n"])
    parts = [f'"args": {positional}']
    if named:
        parts.append(f'"kwargs": {{{named}}}')
    if info.kind is TargetKind.METHOD:
        parts.insert(0, f'"init": {_tuple(init_names)}')
    return "".join([*lines, f"    return {{{', '.join(parts)}}}\n"])


def _assignments(parameters: Iterable[tuple[str, Parameter]]) -> list[str]:
    """One line each; a scalar beside a mapping of such keys, or texts beside texts, is drawn from it."""
    lines = []
    holders: dict[str, str] = {}
    for name, parameter in parameters:
        annotation = _annotation(parameter)
        expression = _container(annotation)
        if expression is not None:
            outer, _, inside = annotation.rstrip("]").partition("[")
            if outer in _DICTS:
                holders.setdefault((inside or "str").partition(",")[0].strip(), name)
            elif inside == "str":
                holders.setdefault("str", name)
        elif annotation in holders:
            expression = f"rng.choice(list({holders[annotation]}))"
        else:
            expression = _SCALARS.get(annotation, "...")
        if "..." in expression:
            expression += f"  # fill in: {annotation}"
        lines.append(f"    {name} = {expression}\n")
    return lines


def _is_needed(parameter: Parameter) -> bool:
    return parameter.default is None and not parameter.variadic


def _tuple(names: list[str]) -> str:
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"


def _annotation(parameter: Parameter) -> str:
    """The annotation without modules, quotes and None; guessed from the name where there is none."""
    annotation = (parameter.annotation or "").strip("'\"")
    if not annotation:
        annotation = next(
            (kind for names, kind in _NAMES if re.fullmatch(names, parameter.name.lower())), "list"
        )
    annotation = re.sub(r"\b(typing|collections\.abc|abc|t)\.", "", annotation)
    return re.sub(r"^Optional\[(.*)\]$|^(.*?)\s*\|\s*None$", lambda m: m[1] or m[2], annotation)


def _container(annotation: str) -> str | None:
    outer, _, inside = annotation.rstrip("]").partition("[")
    inside = inside + "]" * (inside.count("[") - inside.count("]"))
    if outer in _LISTS:
        nested = _container(inside) if inside.partition("[")[0] in _LISTS else None
        if nested is not None:
            return f"[{nested} for _ in range(size)]"
        return f"[{_element(inside or 'int')} for _ in range(size)]"
    if outer in ("set", "Set", "frozenset", "FrozenSet", "AbstractSet"):
        return f"{{{_element(inside or 'int')} for _ in range(size)}}"
    if outer in _DICTS:
        key, _, value = (inside or "str, int").partition(",")
        index = "i" if key.strip() == "int" else 'f"k{i}"'
        return f"{{{index}: {_value(value.strip(), key.strip())} for i in range(size)}}"
    return None


def _value(annotation: str, key: str) -> str:
    """A dict's value; a collection of keys makes it a graph, in which nodes name other nodes."""
    node = "rng.randrange(size)" if key == "int" else 'f"k{rng.randrange(size)}"'
    outer, _, inside = annotation.rstrip("]").partition("[")
    if outer in (*_LISTS, "set", "Set") and inside == key:
        opening, closing = "{}" if outer.lower() == "set" else "[]"
        return f"{opening}{node} for _ in range(3){closing}"
    if outer in ("dict", "Dict", "Mapping") and inside.partition(",")[0] == key:
        return f"{{{node}: rng.randint(1, 9) for _ in range(3)}}"
    return _container(annotation) or _element(annotation)


def _element(annotation: str) -> str:
    outer, _, inside = annotation.rstrip("]").partition("[")
    if outer in ("tuple", "Tuple") and inside:
        parts = [part.strip() for part in inside.split(",") if part.strip() != "..."]
        return f"({', '.join(_element(part) for part in parts)}{',' if len(parts) == 1 else ''})"
    if outer in ("dict", "Dict"):
        return '{"a": rng.randint(0, size), "b": rng.randint(0, size)}'
    return _ELEMENTS.get(annotation, "...")
