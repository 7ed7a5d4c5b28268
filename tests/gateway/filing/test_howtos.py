"""What the how-tos show can be pasted into the gateway's file."""

import re
from pathlib import Path

import pytest

from gateway import config as configuration

HOWTO = Path(__file__).parents[3] / "docs" / "howto"


@pytest.mark.parametrize("page", ["fhir", "dicom", "hl7", "storage"])
def test_the_settings_on_the_page_are_read(tmp_path: Path, page: str) -> None:
    shown = re.findall(r"(?s)```toml\n(.*?)```", (HOWTO / f"{page}.md").read_text())
    assert shown
    file = tmp_path / "gateway.toml"
    file.write_text(f'[broker]\nhost = "broker"\n{shown[0]}')
    config = configuration.load(file)
    assert len(getattr(config, page)) == 1


def test_the_audit_s_settings_on_the_page_are_read(tmp_path: Path) -> None:
    shown = re.findall(r"(?s)```toml\n(.*?)```", (HOWTO / "audit.md").read_text())
    file = tmp_path / "gateway.toml"
    file.write_text(f'[broker]\nhost = "broker"\n{shown[0]}')
    assert configuration.load(file).audit.port == 6514
