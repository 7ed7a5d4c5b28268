"""An object store that speaks S3: moto's server, in memory, in a process of its own."""

import contextlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx2

from base.errors import EnvironmentProblem
from base.lifeline import tied
from neighbours.starting import fetch, last_words, wait_until

REGION: Final = "eu-central-1"
ACCESS_KEY: Final = "a"
SECRET_KEY: Final = "b"  # noqa: S105  # of a store in memory, which takes any


class ObjectStore:
    """A fresh, empty store, started; ``wait`` before use."""

    def __init__(self, log: Path, port: int) -> None:
        if importlib.util.find_spec("moto") is None:
            raise EnvironmentProblem(
                "the object store needs moto: run ./demo --full or ./test --setup, which put it"
                " into .venv (requirements-dev.lock)"
            )
        self._log = log
        self.endpoint = f"http://127.0.0.1:{port}"
        argv = [sys.executable, "-P", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                tied(argv), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def wait(self) -> Self:
        """Return when it answers."""
        wait_until(self._answers, "the object store (moto)", self._log)
        return self

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            words = last_words(self._log)
            raise EnvironmentProblem(f"the object store (moto) did not start; {words}")
        with contextlib.suppress(httpx2.HTTPError):
            return fetch(f"{self.endpoint}/moto-api/data.json").is_success
        return False

    def make_bucket(self, name: str) -> None:
        """Make a bucket in REGION that any browser on this machine may read."""
        where = f"<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint>"
        anybody = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{name}/*",
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [anybody]})
        self._put(name, f"{where}</CreateBucketConfiguration>")
        self._put(f"{name}?policy", policy)

    def _put(self, path: str, content: str) -> None:
        url = f"{self.endpoint}/{path}"
        httpx2.put(url, content=content.encode(), trust_env=False).raise_for_status()

    def url(self, bucket: str, key: str) -> str:
        """Where a browser sees an object."""
        return f"{self.endpoint}/{bucket}/{key}"

    def get(self, bucket: str, key: str) -> bytes:
        """Return an object's content."""
        return fetch(self.url(bucket, key)).raise_for_status().content

    def close(self) -> None:
        self._process.kill()  # it has nothing to lose
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
