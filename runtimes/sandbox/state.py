"""What a sandbox is: a folder, two ports and two keys. Everything else lies below the folder."""

import secrets
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from labkit.paths import ROOT
from labkit.process.errors import InputError
from labkit.process.files import read_json, write_json

BUCKET = "lab"
REPOSITORY = "sandbox/lab"  # owner and name, as on GitHub
# Not those of `make ui` and of MinIO, which may be running too.
S3_PORT, MLFLOW_PORT = 9010, 5010


class Sandbox(BaseModel):
    """A sandbox on this machine."""

    model_config = ConfigDict(frozen=True)

    folder: Path
    s3_port: int
    mlflow_port: int
    access_key: str
    secret_key: str

    @property
    def s3_url(self) -> str:
        """Where its S3 answers."""
        return f"http://127.0.0.1:{self.s3_port}"

    @property
    def mlflow_url(self) -> str:
        """Where its MLflow answers."""
        return f"http://127.0.0.1:{self.mlflow_port}"

    @property
    def origin(self) -> Path:
        """The bare Git repository that stands for GitHub."""
        return self.folder / "origin.git"

    @property
    def clone(self) -> Path:
        """The clone in which a person works."""
        return self.folder / "lab"

    @property
    def server_url(self) -> str:
        """What GITHUB_SERVER_URL is here: the links that a run makes from it lead to its folder."""
        return self.folder.as_uri()

    @property
    def runs(self) -> Path:
        """A folder for each run, as GitHub's addresses have it."""
        return self.folder / REPOSITORY / "actions" / "runs"

    @property
    def logs(self) -> Path:
        """The logs of the services."""
        return self.folder / "logs"


def state_file(folder: Path) -> Path:
    """Written last, so that a folder without it is one that was never finished."""
    return folder / "sandbox.json"


def default_folder() -> Path:
    """The folder of this repository's sandbox, or of the sandbox in which this repository is the clone."""
    return ROOT.parent if state_file(ROOT.parent).exists() else ROOT / ".lab" / "sandbox"


def new(folder: Path, s3_port: int, mlflow_port: int) -> Sandbox:
    """A sandbox with keys of its own. They are random: runners hide secrets in logs, and a plain word is in many."""
    return Sandbox(
        folder=folder,
        s3_port=s3_port,
        mlflow_port=mlflow_port,
        access_key=secrets.token_hex(8),
        secret_key=secrets.token_hex(16),
    )


def save(sandbox: Sandbox) -> None:
    """Write it down: from now on it is complete."""
    write_json(state_file(sandbox.folder), sandbox.model_dump(mode="json"))


def load(folder: Path) -> Sandbox | None:
    """The sandbox in `folder`, if there is one. Raises InputError when the folder has been moved."""
    if not state_file(folder).exists():
        return None
    sandbox = Sandbox.model_validate(read_json(state_file(folder)))
    if sandbox.folder != folder:
        raise InputError(f"{folder} was made as {sandbox.folder}; move it back, or `rm -rf {folder}` and start again")
    return sandbox


def existing(folder: Path) -> Sandbox:
    """The sandbox in `folder`. Raises InputError when there is none."""
    if sandbox := load(folder):
        return sandbox
    raise InputError(f"there is no sandbox in {folder}; `make sandbox` makes one")
