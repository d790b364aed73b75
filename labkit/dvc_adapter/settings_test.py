"""DVC's settings are read and written by level, and wrong ones are refused."""

from pathlib import Path

import pytest

from labkit.dvc_adapter.settings import all_settings, settings_file, settings_of, write_settings
from labkit.process.errors import InputError

pytestmark = pytest.mark.unittest


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a working folder's settings, which has a remote."""
    monkeypatch.chdir(tmp_path)
    Path(".dvc").mkdir()
    Path(".dvc/config").write_text("[core]\n    remote = s3\n['remote \"s3\"']\n    url = s3://bucket\n")
    return tmp_path / ".dvc/config"


def test_each_level_has_its_own(config: Path) -> None:
    local = settings_of("local")
    write_settings("local", local | {"core": {"remote": "s3"}, "remote": {"s3": {"access_key_id": "key"}}})
    assert settings_file("local").read_text() == "[core]\n    remote = s3\n['remote \"s3\"']\n    access_key_id = key\n"
    assert settings_of("repo")["remote"] == {"s3": {"url": "s3://bucket"}}
    assert all_settings()["remote"]["s3"].items() >= {"url": "s3://bucket", "access_key_id": "key"}.items()
    assert (settings_file("local").stat().st_mode & 0o777, config.stat().st_mode & 0o044) == (0o600, 0o044)
    write_settings("local", local)
    assert settings_of("local") == local
    assert settings_file("repo") == config


@pytest.mark.parametrize("text", ["[core", "[nobody]\n    x = 1\n"])
def test_wrong_ones_are_refused_with_their_file(config: Path, text: str) -> None:
    config.write_text(text)
    with pytest.raises(InputError, match=r"^\.dvc/config: .*; correct it, or `git checkout \.dvc/config`$"):
        all_settings()
