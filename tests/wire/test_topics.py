import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.errors import FormatError
from tests.wire.strategies import NAMES
from wire import topics
from wire.topics import Topic

UP = ("state", "vitals", "twin", "ledger", "csr")
DOWN = ("twin", "ledger", "cert", "keyset", "up")
HOSTILE = [
    "",
    "+",
    "#",
    "..",
    ".",
    "a/b",
    "a\0",
    "a\n",
    "a.b",
    "a_b",
    "A",
    "ä",
    "a b",
    "x" * 33,
    "$a",
]


@given(NAMES, st.sampled_from(UP))
def test_what_is_built_is_parsed(device: str, kind: str) -> None:
    assert topics.parse(topics.up(device, kind)) == Topic(device, "u", kind)


@given(NAMES, st.sampled_from(DOWN))
def test_what_is_built_for_a_device_is_parsed(device: str, kind: str) -> None:
    assert topics.parse(topics.down(device, kind)) == Topic(device, "d", kind)


@given(NAMES, NAMES)
def test_a_gateway_or_command_is_one_more_level(device: str, name: str) -> None:
    assert topics.parse(topics.up(device, f"up/{name}")) == Topic(device, "u", f"up/{name}")
    assert topics.parse(topics.down(device, f"cmd/{name}")) == Topic(device, "d", f"cmd/{name}")


@pytest.mark.parametrize("name", HOSTILE)
def test_P8_no_hostile_name_gets_into_a_topic_or_out_of_one(name: str) -> None:
    for build in (
        lambda: topics.check_name(name),
        lambda: topics.up(name, "state"),
        lambda: topics.down(name, "ledger"),
        lambda: topics.all_down(name),
        lambda: topics.parse(f"ws/v1/{name}/u/state"),
        lambda: topics.parse(f"ws/v1/ward-7/u/up/{name}"),
        lambda: topics.parse(f"ws/v1/ward-7/u/cmd/{name}"),
    ):
        with pytest.raises(FormatError):
            build()


@given(st.text(max_size=60) | st.text("ws/v1+#ud-a.\0", max_size=40))
def test_whatever_is_parsed_is_safe_as_a_file_name(topic: str) -> None:
    try:
        found = topics.parse(topic)
    except FormatError:
        return
    assert topics.check_name(found.device) == found.device
    for level in found.kind.split("/"):
        assert topics.check_name(level) == level


def test_subscriptions_are_built_and_never_parsed() -> None:
    assert topics.all_up("state") == "ws/v1/+/u/state"
    assert topics.all_up("up/any") == "ws/v1/+/u/up/any"
    assert topics.all_up("cmd/+") == "ws/v1/+/u/cmd/+"
    assert topics.all_down("ward-7") == "ws/v1/ward-7/d/#"
    for topic in ("ws/v1/+/u/state", "ws/v1/ward-7/u/cmd/+", "ws/v1/ward-7/d/#"):
        with pytest.raises(FormatError):
            topics.parse(topic)


def test_each_side_writes_its_own_kinds_only() -> None:
    with pytest.raises(FormatError, match=r"^'keyset' is not a kind of message$"):
        topics.up("ward-7", "keyset")
    with pytest.raises(FormatError, match=r"^'state' is not a kind of message$"):
        topics.down("ward-7", "state")


def test_the_error_says_what_a_name_may_be() -> None:
    with pytest.raises(FormatError) as caught:
        topics.check_name("Ward 7")
    assert str(caught.value) == "device id 'Ward 7': use 1 to 32 of a-z, 0-9 and -"
