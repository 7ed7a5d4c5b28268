"""The storage sink against moto's S3, which enforces If-None-Match, and against a folder."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from base.errors import ConfigError, EnvironmentProblem
from gateway.filing.base import FilingError, Sink
from gateway.filing.settings import StorageSettings, check_names
from gateway.filing.storage import Storage
from neighbours.object_store import ACCESS_KEY, REGION, SECRET_KEY, ObjectStore
from tests.gateway.filing.photos import AT_MS, HOSTILE, OTHER, PHOTO, filed_of, hostile, picture
from tests.gateway.filing.photos import record as photo_record

DAY = "2023-11-14"
BUCKET = "photos"


@pytest.fixture(scope="module")
def endpoint(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[str]:
    with ObjectStore(tmp_path_factory.mktemp("store") / "log", free_port()).wait() as store:
        yield store.endpoint


@pytest.fixture
def s3(endpoint: str) -> Iterator[Any]:
    """What an administrator of the store uses: an independent client."""
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )
    where = {"LocationConstraint": REGION}
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
    yield client
    for found in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=found["Key"])
    client.delete_bucket(Bucket=BUCKET)
    client.close()


@pytest.fixture
def opened(tmp_path: Path, endpoint: str) -> Callable[..., Storage]:
    secrets = tmp_path / "secrets.toml"
    secrets.touch(mode=0o600)
    secrets.write_text(f'access_key_id = "{ACCESS_KEY}"\nsecret_access_key = "{SECRET_KEY}"\n')
    (tmp_path / f"{PHOTO}.wardseal").write_bytes(b"sealed" * 100)

    def make(**settings: Any) -> Storage:
        usual: dict[str, Any] = {
            "service": "s3",
            "content": "opened",
            "regions": ("eu-central-1",),
            "region": "eu-central-1",
            "bucket": BUCKET,
            "endpoint": endpoint,
            "prefix": "ward/3",
            "secrets": secrets,
        }
        return Storage(
            StorageSettings(**(usual | settings)), lambda photo: tmp_path / f"{photo}.wardseal"
        )

    return make


def objects(s3: Any) -> dict[str, bytes]:
    found = s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return {
        one["Key"]: s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read() for one in found
    }


def file(sink: Sink, one: Any) -> str:
    reference = sink.file(one)
    sink.read_back(one, reference)
    return reference


def test_P5_filing_twice_is_filing_once(s3: Any, opened: Callable[..., Storage]) -> None:
    sink: Sink = opened()
    one = file(sink, photo_record())
    before = objects(s3)
    assert file(opened(), photo_record()) == one == f"ward/3/{DAY}/{PHOTO}.jpg"
    assert objects(s3) == before
    assert before[one] == picture()
    assert json.loads(before[f"ward/3/{DAY}/{PHOTO}.json"])["patient"]["number"] == "4711"


def test_sealed_photos_stay_sealed_and_say_nothing(s3: Any, opened: Callable[..., Storage]) -> None:
    file(opened(content="sealed"), photo_record())
    found = objects(s3)
    assert found[f"ward/3/{DAY}/{PHOTO}.wardseal"] == b"sealed" * 100
    page = json.loads(found[f"ward/3/{DAY}/{PHOTO}.json"])
    assert set(page) == {"wardseal", "photo", "assignment", "status", "sha256"}


def test_P5_what_is_there_is_never_overwritten_and_a_stranger_is_found_out(
    s3: Any, opened: Callable[..., Storage]
) -> None:
    key = f"ward/3/{DAY}/{PHOTO}.jpg"
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"somebody else's")
    sink = opened()
    with pytest.raises(FilingError, match="storage gives back something else"):
        file(sink, photo_record())
    assert objects(s3)[key] == b"somebody else's"


def test_a_store_that_is_gone_or_refuses_is_said_without_its_words(
    s3: Any, opened: Callable[..., Storage], free_port: Callable[[], int]
) -> None:
    with pytest.raises(FilingError, match=r"^storage did not take it: ConfigInvalid$"):
        opened(bucket="nothere").file(photo_record())
    away = opened(endpoint=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(FilingError, match=r"^storage did not take it: \w+$"):
        away.file(photo_record())


@pytest.mark.parametrize("content", ["opened", "sealed"])
def test_objection_and_correction_are_written_once(
    s3: Any, opened: Callable[..., Storage], content: str
) -> None:
    sink, at_a, at_b = opened(content=content), photo_record(), photo_record(assignment=OTHER)
    sink.undo(filed_of(at_a), AT_MS)
    sink.correct(filed_of(at_a), AT_MS)
    assert objects(s3) == {}
    first, second = file(sink, at_a), file(sink, at_b)
    rewrapped = f"ward/3/{DAY}/{PHOTO}.rewrap"
    if content == "sealed":
        s3.put_object(Bucket=BUCKET, Key=rewrapped, Body=b"by wardseal keys rewrap")
    for known in (first, None):
        sink.undo(filed_of(at_a, known), AT_MS)
    page = f"ward/3/{DAY}/{PHOTO}"
    assert json.loads(objects(s3)[f"{page}.json"])["status"] == "objection recorded"
    sink.correct(replace(filed_of(at_a, first), replaced=True), AT_MS)
    assert json.loads(objects(s3)[f"{page}.json"])["status"] == "replaced"
    for known in (first, None):
        sink.correct(filed_of(at_a, known), AT_MS)
    found = objects(s3)
    assert json.loads(found[f"{page}.json"])["status"] == "entered in error"
    assert json.loads(found[f"{page}-2.json"])["status"] == "filed"
    assert first not in found and second in found
    assert rewrapped not in found


def test_half_of_a_photo_after_a_crash_is_taken_away(
    s3: Any, opened: Callable[..., Storage]
) -> None:
    s3.put_object(Bucket=BUCKET, Key=f"ward/3/{DAY}/{PHOTO}.jpg", Body=picture())
    opened().correct(filed_of(photo_record()), AT_MS)
    assert objects(s3) == {}


@pytest.mark.parametrize("evil", HOSTILE)
def test_injection_names_of_objects_come_from_ids_alone(
    s3: Any, opened: Callable[..., Storage], evil: str
) -> None:
    file(opened(), hostile(evil))
    assert sorted(objects(s3)) == [
        f"ward/3/{DAY}/{PHOTO}.jpg",
        f"ward/3/{DAY}/{PHOTO}.json",
    ]
    assert json.loads(objects(s3)[f"ward/3/{DAY}/{PHOTO}.json"])["bed"] == evil


def test_the_same_code_files_into_a_folder(tmp_path: Path, opened: Callable[..., Storage]) -> None:
    root = tmp_path / "warehouse"
    here: dict[str, Any] = {"service": "fs", "bucket": str(root), "endpoint": "", "secrets": None}
    reference = file(opened(**here), photo_record())
    assert (root / reference).read_bytes() == picture()


SETTINGS: dict[str, Any] = {
    "service": "s3",
    "content": "opened",
    "regions": ("eu-central-1",),
    "region": "eu-central-1",
}


@pytest.mark.parametrize(
    ("changed", "setting", "words"),
    [
        ({"region": "us-east-1"}, "region", "is not one of regions"),
        ({"regions": ()}, "region", "is not one of regions"),
        ({"prefix": "../up"}, "prefix", "lead upwards"),
        ({"prefix": "/top"}, "prefix", "must not begin"),
        ({"endpoint": "http://s3.example"}, "endpoint", "must be https://"),
        ({"required": True, "content": "sealed"}, "required", "follows"),
        ({"timeout_seconds": 0}, "timeout_seconds", "use 1 to 600"),
    ],
)
def test_P10_a_wrong_setting_is_named(changed: dict[str, Any], setting: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        StorageSettings(**(SETTINGS | changed))
    assert caught.value.setting == setting


def test_P10_secrets_are_nobody_elses_and_cannot_move_the_photos_elsewhere(
    tmp_path: Path, opened: Callable[..., Storage]
) -> None:
    secrets = tmp_path / "mine.toml"
    secrets.touch(mode=0o600)
    secrets.write_text('region = "us-east-1"\n')
    with pytest.raises(ConfigError, match=r"storage\.secrets.*'region' may not stand in"):
        opened(secrets=secrets)
    secrets.chmod(0o644)
    with pytest.raises(EnvironmentProblem, match="chmod 600"):
        opened(secrets=secrets)


def test_P10_two_record_systems_of_one_name_are_refused() -> None:
    check_names(["fhir", "fhir-2", "dicom"])
    for names in (["fhir", "fhir"], ["folder"]):
        with pytest.raises(ConfigError, match="names two record systems"):
            check_names(names)
