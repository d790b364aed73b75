"""DVC's settings of the working folder: .dvc/config, which is committed, and .dvc/config.local, which is not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from dvc.config import Config, ConfigError

from labkit.process.errors import InputError

Level = Literal["repo", "local"]


def all_settings() -> dict[str, Any]:
    """The settings of all levels together. Raises InputError when they are wrong."""
    with _config() as config:
        return dict(config)


def settings_of(level: Level) -> dict[str, Any]:
    """The settings of one file; none where it is not there. Raises InputError when they are wrong."""
    with _config() as config:
        return dict(config.load_one(level))


def write_settings(level: Level, settings: dict[str, Any]) -> None:
    """Write the settings of one file; the local one, which may hold a key, is its owner's alone.

    Raises InputError when DVC refuses them.
    """
    if level == "local":
        (file := settings_file(level)).touch(mode=0o600)
        file.chmod(0o600)
    with _config() as config, config.edit(level) as section:
        section.clear()
        section.update(settings)


def settings_file(level: Level) -> Path:
    """Where the settings of a level are. Raises InputError when they are wrong."""
    with _config() as config:
        return Path(config.files[level])


@contextmanager
def _config() -> Iterator[Any]:
    try:
        yield Config.from_cwd()
    except ConfigError as error:
        raise InputError(f".dvc/config: {error}; correct it, or `git checkout .dvc/config`") from None
