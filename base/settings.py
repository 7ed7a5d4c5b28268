"""Settings: one TOML file becomes nested frozen dataclasses, or one sentence about what is wrong.

The dataclasses are the whole schema. A field's type says what TOML must hold there, a default
makes it optional, a nested dataclass is a table. Nothing is guessed: text is no number, ``true``
is no 1, and a key nobody declared is an error that names the nearest one that was declared, for
a misspelt setting that is silently ignored is a protection silently off.

    @dataclass(frozen=True)
    class Broker:
        host: str
        port: int = 8883
        ca: Path = Path("ca.pem")          # beside the file

Understood: ``str int float bool Path Literal``, ``T | None``, ``list[T]``, ``tuple[T, ...]``,
``tuple[A, B]``, dataclasses, and ``Literal["none"] | Table`` (a word, or a table). A class may
check its own values in ``__post_init__`` and raise ``ConfigError("port", "…")``; the section's
name is put in front here.
"""

import dataclasses
import difflib
import math
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from base.errors import ConfigError

T = TypeVar("T")

# How TOML's values are called in front of an administrator.
KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a table",
}


def load(path: Path, into: type[T], *, base_dir: Path | None = None) -> T:
    """Read ``path`` into the dataclass ``into``.

    Relative ``Path`` values and defaults are taken from ``base_dir``, which is the file's own
    folder unless given. Raises ConfigError, whose ``setting`` is the full dotted name, or the
    file's name when it cannot be read at all.
    """
    try:
        table = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), f"is not UTF-8 text (byte {error.start})") from error
    except ValueError as error:  # TOMLDecodeError, or a number of thousands of digits
        raise ConfigError(str(path), f"is not valid TOML: {error}") from error
    except RecursionError as error:
        raise ConfigError(str(path), "is not valid TOML: nested too deeply") from error
    folder = path.parent if base_dir is None else base_dir
    try:
        return _Reader(into, folder.absolute()).section(table, into, ())
    except ConfigError as error:
        raise ConfigError(error.setting, f"{error.problem} (in {path})") from error


def dotted(name: tuple[str, ...]) -> str:
    """``("broker", "hosts", "[0]")`` as an administrator writes it: ``broker.hosts[0]``."""
    return ".".join(name).replace(".[", "[")


class _Reader:
    """Walks one file's tables and the dataclasses side by side."""

    def __init__(self, root: type, folder: Path) -> None:
        self.root = root
        self.folder = folder

    def section(self, table: dict[str, Any], into: type[T], name: tuple[str, ...]) -> T:
        fields = {field.name: field for field in _fields(into)}
        for key in table:
            if key not in fields:
                raise ConfigError(
                    dotted((*name, _plain(key))), self._unknown(key, list(fields), name)
                )
        hints = get_type_hints(into)
        values = {
            key: self.value(table[key], hints[key], (*name, key))
            if key in table
            else self.default(field, hints[key], (*name, key))
            for key, field in fields.items()
        }
        try:
            return into(**values)
        except ConfigError as error:
            raise ConfigError(dotted((*name, error.setting)), error.problem) from error

    def default(self, field: "dataclasses.Field[Any]", hint: Any, name: tuple[str, ...]) -> Any:
        """The value of a setting the file does not mention."""
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            # An absent table is an empty one: its own defaults hold, and what it must have is
            # asked for by its full name.
            return self.section({}, hint, name)
        if field.default_factory is not dataclasses.MISSING:
            return field.default_factory()
        if field.default is dataclasses.MISSING:
            raise ConfigError(dotted(name), "is missing, and there is no default for it")
        return self.folder / field.default if isinstance(field.default, Path) else field.default

    def value(self, value: Any, hint: Any, name: tuple[str, ...]) -> Any:
        origin, arguments = get_origin(hint), get_args(hint)
        if origin in {Union, types.UnionType}:
            # TOML has no null: None is what leaving the setting out means.
            inner = [each for each in arguments if each is not types.NoneType]
            if len(inner) == 1:
                return self.value(value, inner[0], name)
            # A word, or a table: `identity = "none"`, or [identity].
            tables = [each for each in inner if dataclasses.is_dataclass(each)]
            if len(inner) == 2 and len(tables) == 1:
                (word,) = (each for each in inner if each is not tables[0])
                return self.value(value, tables[0] if isinstance(value, dict) else word, name)
        if origin is Literal:
            return _choice(value, arguments, name)
        if origin in {list, tuple}:
            return self.sequence(value, origin, arguments, name)
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            return self.section(_of_kind(value, dict, name), hint, name)
        if hint is Path:
            text = _of_kind(value, str, name)
            if not text or "\0" in text:
                raise ConfigError(dotted(name), f"must be the name of a file, not {_show(value)}")
            return self.folder / text
        if hint is float:
            number = float(_of_kind(value, float, name))
            if not math.isfinite(number):
                raise ConfigError(dotted(name), f"must be a finite number, not {value}")
            return number
        if hint in {str, int, bool}:
            return _of_kind(value, hint, name)
        raise TypeError(f"{dotted(name)}: settings cannot be of type {hint}")

    def sequence(
        self, value: Any, origin: type, arguments: tuple[Any, ...], name: tuple[str, ...]
    ) -> Any:
        items = _of_kind(value, list, name)
        if origin is list or arguments[1:] == (...,):
            hints = [arguments[0]] * len(items)
        else:
            hints = list(arguments)
        if len(items) != len(hints):
            raise ConfigError(dotted(name), f"must hold {len(hints)} values, not {len(items)}")
        pairs = enumerate(zip(items, hints, strict=True))
        return origin(self.value(item, hint, (*name, f"[{i}]")) for i, (item, hint) in pairs)

    def _unknown(self, key: str, siblings: list[str], name: tuple[str, ...]) -> str:
        """Where the key was probably meant: beside it, else in another table, else whatever."""
        if close := difflib.get_close_matches(key, siblings, n=1):
            return f"unknown setting; did you mean {dotted((*name, close[0]))}?"
        elsewhere: dict[str, str] = {}
        for each in _names(self.root, ()):
            elsewhere.setdefault(each[-1], dotted(each))
        if close := difflib.get_close_matches(key, elsewhere, n=1):
            return f"unknown setting; did you mean {elsewhere[close[0]]}?"
        nearest = difflib.get_close_matches(key, siblings, n=1, cutoff=0.0)
        return f"unknown setting; the nearest known one is {dotted((*name, *nearest))}"


def _fields(into: type) -> list["dataclasses.Field[Any]"]:
    return [field for field in dataclasses.fields(into) if field.init]


def _names(into: type, name: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Every setting below ``into``, outermost first; what repeats in a list is left out."""
    hints = get_type_hints(into)
    for field in _fields(into):
        yield (*name, field.name)
    for field in _fields(into):
        hint = hints[field.name]
        for each in (hint, *(get_args(hint) if get_origin(hint) not in {list, tuple} else ())):
            if dataclasses.is_dataclass(each) and isinstance(each, type):
                yield from _names(each, (*name, field.name))


def _of_kind(value: Any, kind: type, name: tuple[str, ...]) -> Any:
    """``value`` if TOML gave it that kind; a whole number passes for a number, true for neither."""
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise ConfigError(dotted(name), f"must be {KINDS[kind]}, not {_show(value)}")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ConfigError(dotted(name), "must be a number of at most 64 bits")
    return value


def _choice(value: Any, choices: tuple[Any, ...], name: tuple[str, ...]) -> Any:
    for choice in choices:
        if value == choice and type(value) is type(choice):
            return choice
    known = ", ".join(_show(choice) for choice in choices)
    raise ConfigError(dotted(name), f"must be one of {known}, not {_show(value)}")


def _show(value: Any) -> str:
    """A value as the administrator wrote it; long ones and whole tables by their kind alone."""
    if isinstance(value, str) and len(value) <= 60:
        return f'"{_plain(value)}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63):
        return str(value)
    return KINDS.get(type(value), "a date or a time")


def _plain(text: str) -> str:
    """Text fit for one line of an error message."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()
