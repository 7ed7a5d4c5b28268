"""A gateway that has a webhook, and who receives it."""

from collections.abc import Iterator

import pytest

from tests.gateway.hospital import Hospital
from tests.gateway.webhooks.receiver import Receiver
from tests.gateway.webhooks.telling import KEY, settings


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver(KEY)
    yield made
    made.close()


@pytest.fixture
def telling(hospital: Hospital, receiver: Receiver) -> Hospital:
    """A gateway that has a webhook."""
    hospital.write_config(settings(hospital.folder, receiver))
    hospital.reopen()
    return hospital
