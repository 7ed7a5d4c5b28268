"""Settings: what is right arrives typed, and what is wrong is one sentence naming the setting."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.errors import ConfigError
from base.settings import dotted, load


@dataclass(frozen=True)
class Broker:
    host: str
    port: int = 8883
    ca: Path = Path("ca.pem")
    timeout_seconds: float = 5.0

    def __post_init__(self) -> None:
        if not 0 < self.port < 65536:
            raise ConfigError("port", f"must be a port from 1 to 65535, not {self.port}")


@dataclass(frozen=True)
class Label:
    text: str
    size: tuple[int, int] = (10, 20)


@dataclass(frozen=True)
class Spool:
    persist: bool = False
    limit_mb: int = 64


@dataclass(frozen=True)
class Device:
    broker: Broker
    name: str = "ward device"
    language: Literal["en", "de", "fr", "es"] = "en"
    spool: Spool = field(default_factory=Spool)
    backup: Broker | None = None
    badge: str | None = None
    wards: list[str] = field(default_factory=list)
    recovery: tuple[Path, ...] = ()
    labels: tuple[Label, ...] = ()


LEAST = '[broker]\nhost = "broker.ward"\n'


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "device.toml"


def problem(path: Path, text: str, into: type = Device) -> str:
    """The sentence an administrator reads, without the file's name, which it must end with."""
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path, into)
    message = str(caught.value)
    assert message.startswith(f"{caught.value.setting}: ")
    assert message.endswith(f" (in {path})")
    assert "\n" not in message
    return message.removesuffix(f" (in {path})")


def test_everything_a_file_can_say_arrives_typed(toml: Path) -> None:
    toml.write_text("""
        name = "Köln 2"
        language = "de"
        badge = "GS1"
        wards = ["2", "3"]
        recovery = ["a.pub", "/keys/b.pub"]
        [broker]
        host = "broker.ward"
        port = 1_884
        ca = "tls/ca.pem"
        timeout_seconds = 2
        [backup]
        host = "other"
        [spool]
        persist = true
        [[labels]]
        text = "W2 HEEL L"
        [[labels]]
        text = "W3"
        size = [1, 2]
    """)
    here = toml.parent
    assert load(toml, Device) == Device(
        broker=Broker("broker.ward", 1884, here / "tls/ca.pem", 2.0),
        name="Köln 2",
        language="de",
        spool=Spool(persist=True),
        backup=Broker("other", ca=here / "ca.pem"),
        badge="GS1",
        wards=["2", "3"],
        recovery=(here / "a.pub", Path("/keys/b.pub")),
        labels=(Label("W2 HEEL L"), Label("W3", (1, 2))),
    )


def test_a_whole_number_is_read_as_a_number_where_one_is_wanted(toml: Path) -> None:
    toml.write_text(LEAST + "timeout_seconds = 3")
    value = load(toml, Device).broker.timeout_seconds
    assert (value, type(value)) == (3.0, float)


def test_what_the_file_leaves_out_has_its_default(toml: Path) -> None:
    toml.write_text(LEAST)
    assert load(toml, Device) == Device(Broker("broker.ward", ca=toml.parent / "ca.pem"))


def test_paths_are_taken_from_the_files_folder_and_not_from_where_we_stand(toml: Path) -> None:
    toml.write_text(LEAST + 'ca = "../pki/ca.pem"')
    assert load(toml, Device).broker.ca == toml.parent / "../pki/ca.pem"


def test_paths_can_be_taken_from_another_folder(toml: Path) -> None:
    toml.write_text(LEAST)
    assert load(toml, Device, base_dir=Path("/srv")).broker.ca == Path("/srv/ca.pem")


def test_a_relative_file_name_still_gives_absolute_paths(
    toml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml.write_text(LEAST)
    monkeypatch.chdir(toml.parent)
    assert load(Path(toml.name), Device).broker.ca == toml.parent / "ca.pem"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            LEAST + 'hots = "x"',
            "broker.hots: unknown setting; did you mean broker.host?",
        ),
        (
            LEAST + "[spol]\npersist = true",
            "spol: unknown setting; did you mean spool?",
        ),
        (
            "persist = true\n" + LEAST,
            "persist: unknown setting; did you mean spool.persist?",
        ),
        (
            LEAST + "[spool]\nhost = 'x'",
            "spool.host: unknown setting; did you mean broker.host?",
        ),
        (
            LEAST + "[spool]\nxyzzy = 1",
            "spool.xyzzy: unknown setting; the nearest known one is spool.persist",
        ),
        (
            LEAST + '[backup]\nhost = "x"\nprot = 1',
            "backup.prot: unknown setting; did you mean backup.port?",
        ),
        (
            LEAST + '[[labels]]\ntext = "x"\n[[labels]]\ntex = "y"',
            "labels[1].tex: unknown setting; did you mean labels[1].text?",
        ),
        (
            LEAST + '"po\\nrt" = 1',
            "broker.po\\nrt: unknown setting; did you mean broker.port?",
        ),
    ],
)
def test_P10_an_unknown_key_is_an_error_that_names_the_nearest_known_one(
    toml: Path, text: str, sentence: str
) -> None:
    assert problem(toml, text) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (LEAST + 'port = "8883"', 'broker.port: must be a whole number, not "8883"'),
        (LEAST + "port = 8883.0", "broker.port: must be a whole number, not 8883.0"),
        (LEAST + "port = true", "broker.port: must be a whole number, not true"),
        (LEAST + "port = 2024-05-01", "broker.port: must be a whole number, not a date or a time"),
        (LEAST + "timeout_seconds = true", "broker.timeout_seconds: must be a number, not true"),
        (
            LEAST + "timeout_seconds = nan",
            "broker.timeout_seconds: must be a finite number, not nan",
        ),
        (
            LEAST + "timeout_seconds = -inf",
            "broker.timeout_seconds: must be a finite number, not -inf",
        ),
        ("[broker]\nhost = 5", "broker.host: must be text, not 5"),
        ("[broker]\nhost = ['a']", "broker.host: must be text, not a list"),
        (LEAST + "ca = ''", 'broker.ca: must be the name of a file, not ""'),
        (LEAST + 'ca = "a\\u0000b"', 'broker.ca: must be the name of a file, not "a\\x00b"'),
        (LEAST + "ca = 1", "broker.ca: must be text, not 1"),
        (LEAST + "[spool]\npersist = 1", "spool.persist: must be true or false, not 1"),
        (LEAST + "[spool]\npersist = 'yes'", 'spool.persist: must be true or false, not "yes"'),
        ("broker = 'here'", 'broker: must be a table, not "here"'),
        ("[[broker]]\nhost = 'x'", "broker: must be a table, not a list"),
        ("wards = 'all'\n" + LEAST, 'wards: must be a list, not "all"'),
        ("wards = ['1', 2]\n" + LEAST, "wards[1]: must be text, not 2"),
        ("badge = 1\n" + LEAST, "badge: must be text, not 1"),
        ("backup = 1\n" + LEAST, "backup: must be a table, not 1"),
        ("recovery = ['a', '']\n" + LEAST, 'recovery[1]: must be the name of a file, not ""'),
        (
            LEAST + "[[labels]]\ntext = 'x'\nsize = [1]",
            "labels[0].size: must hold 2 values, not 1",
        ),
        (
            LEAST + "[[labels]]\ntext = 'x'\nsize = [1, 'y']",
            'labels[0].size[1]: must be a whole number, not "y"',
        ),
        (
            "language = 'it'\n" + LEAST,
            'language: must be one of "en", "de", "fr", "es", not "it"',
        ),
        ("language = {}\n" + LEAST, 'language: must be one of "en", "de", "fr", "es", not a table'),
        (LEAST + "port = 0x" + "f" * 6000, "broker.port: must be a number of at most 64 bits"),
        (
            LEAST + "timeout_seconds = 0x" + "f" * 6000,
            "broker.timeout_seconds: must be a number of at most 64 bits",
        ),
        ("badge = 0x" + "f" * 6000 + "\n" + LEAST, "badge: must be text, not a whole number"),
        (LEAST + "port = '" + "x" * 200 + "'", "broker.port: must be a whole number, not text"),
    ],
)
def test_P10_a_value_of_the_wrong_kind_names_the_setting_and_what_it_must_be(
    toml: Path, text: str, sentence: str
) -> None:
    assert problem(toml, text) == sentence


@pytest.mark.parametrize("value", ["1", "0", "true", "1.0"])
def test_P10_a_choice_among_numbers_is_not_met_by_true(toml: Path, value: str) -> None:
    @dataclass(frozen=True)
    class Choice:
        level: Literal[1, 2]

    if value == "1":
        toml.write_text("level = 1")
        assert load(toml, Choice).level == 1
    else:
        assert problem(toml, f"level = {value}", Choice) == (
            f"level: must be one of 1, 2, not {value}"
        )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "broker.host: is missing, and there is no default for it"),
        ("[broker]\nport = 1", "broker.host: is missing, and there is no default for it"),
        (
            LEAST + "[backup]\nport = 1",
            "backup.host: is missing, and there is no default for it",
        ),
        (
            LEAST + "[[labels]]\nsize = [1, 2]",
            "labels[0].text: is missing, and there is no default for it",
        ),
    ],
)
def test_P10_a_missing_setting_is_asked_for_by_its_full_name(
    toml: Path, text: str, sentence: str
) -> None:
    assert problem(toml, text) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (LEAST + "port = 0", "broker.port: must be a port from 1 to 65535, not 0"),
        (
            LEAST + '[backup]\nhost = "x"\nport = 70000',
            "backup.port: must be a port from 1 to 65535, not 70000",
        ),
    ],
)
def test_P10_what_a_class_refuses_is_told_with_the_name_of_its_section(
    toml: Path, text: str, sentence: str
) -> None:
    assert problem(toml, text) == sentence


def test_P10_a_file_that_is_not_there_is_named(toml: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        load(toml, Device)
    assert str(caught.value) == f"{toml}: cannot be read: No such file or directory"


def test_P10_a_folder_in_the_place_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, Device)
    assert str(caught.value) == f"{tmp_path}: cannot be read: Is a directory"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"name = \xff", "is not UTF-8 text (byte 7)"),
        (
            b"a = 1\na = 2",
            "is not valid TOML: Cannot overwrite a value (at end of document)",
        ),
        (b"name", "is not valid TOML: Expected '=' after a key in a key/value pair"),
        (b"port = " + b"9" * 5000, "is not valid TOML: Exceeds the limit (4300 digits)"),
        (b"a = " + b"[" * 100_000, "is not valid TOML: "),
    ],
)
def test_P10_a_file_that_is_not_toml_says_where_it_stops_being_so(
    toml: Path, content: bytes, sentence: str
) -> None:
    toml.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(toml, Device)
    assert str(caught.value).startswith(f"{toml}: {sentence}")
    assert caught.value.setting == str(toml)


def test_a_type_that_settings_do_not_know_is_the_programmers_error(toml: Path) -> None:
    @dataclass(frozen=True)
    class Odd:
        either: int | str = 1

    toml.write_text("either = 2")
    with pytest.raises(TypeError, match="either: settings cannot be of type"):
        load(toml, Odd)


def test_a_dotted_name_reads_as_it_is_written() -> None:
    assert dotted(("labels", "[1]", "size", "[0]")) == "labels[1].size[0]"


scalars = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=80),
)
keys = st.sampled_from(
    ["broker", "host", "port", "ca", "language", "spool", "wards", "labels", "text", "size", "hst"]
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=8,
)


def as_toml(value: Any) -> str:
    """Enough of a TOML writer for the values above."""
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "{" + ", ".join(f"{key} = {as_toml(each)}" for key, each in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(as_toml, value)) + "]"
        case str():
            return '"' + "".join(f"\\U{ord(character):08x}" for character in value) + '"'
    return str(value)


@given(st.dictionaries(keys, values, max_size=6))
def test_P10_any_table_is_read_or_refused_in_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, table: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text("".join(f"{key} = {as_toml(value)}\n" for key, value in table.items()))
    try:
        device = load(path, Device)
    except ConfigError as error:
        assert "\n" not in str(error)
        assert str(error).endswith(f"(in {path})")
    else:
        assert isinstance(device, Device)


@given(st.binary(max_size=200))
def test_P10_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-bytes.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError):
        load(path, Device)
