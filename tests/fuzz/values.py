"""Odd values, texts and files: what the cases are drawn from."""

import json

from hypothesis import strategies as st

YAML_SPECIALS = (
    "2024-13-45", "2024-01-01", "2001-12-14t21:59:43.10-05:00", "0x_", "0b_", "0o_", "1:99", "1:99_:x", "0x",
    "!!int x", "!!float y", "!!bool 3", "[&a [1], *a]", "&a {b: *a}",
    "{a: &a [1,1,1,1,1,1,1,1], b: &b [*a,*a,*a,*a,*a,*a,*a,*a], c: &c [*b,*b,*b,*b,*b,*b,*b,*b], "
    "d: &d [*c,*c,*c,*c,*c,*c,*c,*c], e: &e [*d,*d,*d,*d,*d,*d,*d,*d], f: &f [*e,*e,*e,*e,*e,*e,*e,*e], "
    "g: [*f,*f,*f,*f,*f,*f,*f,*f]}",
    "!!null x", "!!timestamp no", "!!binary \u00e9", "!!binary ====",
    "!!set [1]", "!!omap {a: 1}", "!!pairs [1]", "!!python/object:os.system x", "!!python/name:os.system",
    "!!str", "!own x", "!!map [a]", "!!seq {a: 1}", "{a: &b [*b]}", "&a [*a]", "*a", "&a 1", "<<: 1",
    "{<<: [1]}", "{? [a] : 1}", "? {a: 1}", "~", "null", "", "true", "yes", "on", ".inf", "-.inf", ".nan",
    "1e400", "1e-400", "-0", "1_000", "0.1e", "9" * 5000, "-" + "9" * 400, "1e309", "5M", "5 M", "5X", "-5M",
    ".5K", "1e5K", "\u0663", "[", "]", "{", "}", "[" * 1500, "{a: " * 300, "- " * 800, "'", '"', "|", ">",
    "|\n", "%", "@", "`", "# x", "--- 1", "...", "1\n---\n2", "a: b: c", "\t", "\x00", "\x07", "\ufeff1",
    "\ud800", "\udcff", "\U0001f600", "\u2028", "[0,]", "[,]", "[0,,1]", "{a}", "{a,b}", "[[[]]]", "{}", "[]",
    "[null]", "[true, 1]", "[0, 0]", "[1.5]", "['a', 1]", "x" * 3000, "smoke", "default", "../..",
    "/dev/null", "nul\\0", "%s%n", "{x.__class__}", "$(id)", "`id`", "${HOME}", "hub:", "file:///etc/passwd",
)  # fmt: skip
"""Values that YAML, Python or a setting has its own ideas about."""

texts = st.one_of(
    st.text(max_size=20),
    st.text("[]{}!&*?:,-|>'\"% \n\t#~.0123456789eExXaAnN_", max_size=24),
    st.sampled_from(
        ["", " ", "a" * 3000, "\x00", "\ud800", "\u2028", "../x", "/", "nan", "-1", "1e999", "####"]
    ),
)
numbers = st.one_of(
    st.integers(-3, 70),
    st.integers(-(2**70), 2**70),
    st.sampled_from([10**30, -(10**30), 2**31, 2**63, 2**64, 10**400]),
    st.floats(allow_nan=True, allow_infinity=True),
)
leaves = st.one_of(st.none(), st.booleans(), numbers, texts)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(texts, st.just("a")), inner, max_size=3)
    ),
    max_leaves=8,
)
"""Plain data as JSON and YAML have it."""


def paths_of(data: object, before: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """The path of every value inside nested lists and mappings."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [before, *(path for key, value in inner for path in paths_of(value, (*before, key)))]


def changed(data: object, path: tuple[object, ...], way: str, value: object) -> object:
    """A copy with the value at a path replaced, removed, doubled, wrapped or given a further key."""
    if not path:
        return {"put": value, "wrap": [data]}.get(way, value if way != "add" else _with_key(data, value))
    copy = dict(data) if isinstance(data, dict) else list(data)  # type: ignore[call-overload]
    key = path[0]
    if len(path) > 1:
        copy[key] = changed(copy[key], path[1:], way, value)
    elif way == "drop":
        del copy[key]
    elif way == "rename" and isinstance(copy, dict):
        copy[value if isinstance(value, str) else "x"] = copy.pop(key)
    else:
        copy[key] = {
            "put": value,
            "wrap": [copy[key]],
            "double": [copy[key], copy[key]],
            "add": _with_key(copy[key], value),
            "text": json.dumps(copy[key])[:200],
        }.get(way, value)
    return copy


def _with_key(data: object, value: object) -> object:
    if isinstance(data, dict):
        return data | {value if isinstance(value, str) else "x": value}
    return [*data, value] if isinstance(data, list) else value


WAYS = ("put", "put", "put", "drop", "wrap", "double", "add", "rename", "text")


@st.composite
def mutated(draw: st.DrawFn, data: object, most: int = 3) -> object:
    """Plain data with one to `most` values changed."""
    for _ in range(draw(st.integers(1, most))):
        found = paths_of(data)
        data = changed(data, draw(st.sampled_from(found)), draw(st.sampled_from(WAYS)), draw(values))
    return data


@st.composite
def damaged(draw: st.DrawFn, content: bytes, most: int = 3) -> bytes:
    """Bytes with a few flipped, cut out, put in, doubled, or the end lost."""
    for _ in range(draw(st.integers(1, most))):
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        length = draw(st.one_of(st.integers(1, 12), st.integers(1, max(len(content), 1))))
        way = draw(
            st.sampled_from(("flip", "flip", "set", "cut", "put", "double", "end", "start", "empty", "zero"))
        )
        piece = content[at : at + length]
        if way == "flip" and content:
            content = content[:at] + bytes([content[at] ^ (1 << draw(st.integers(0, 7)))]) + content[at + 1 :]
        elif way == "set" and content:
            content = content[:at] + bytes([draw(st.integers(0, 255))]) + content[at + 1 :]
        elif way == "cut":
            content = content[:at] + content[at + length :]
        elif way == "put":
            content = content[:at] + draw(st.binary(max_size=12)) + content[at:]
        elif way == "double":
            content = content[:at] + piece + content[at:]
        elif way == "end":
            content = content[:at]
        elif way == "start":
            content = content[at:]
        elif way == "zero":
            content = content[:at] + b"\0" * len(piece) + content[at + length :]
        elif draw(st.integers(0, 9)) == 0:
            content = b""
    return content
