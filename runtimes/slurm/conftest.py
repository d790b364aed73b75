"""A SLURM cluster of one machine, for its tests: its own munge, controller and daemon, on loopback alone."""

import getpass
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator

import pytest

from labkit.testing.ports import free_port
from labkit.testing.waiting import wait_until

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
CONFIG = """\
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmUser={user}
SlurmdUser={user}
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
KillWait=5
DefMemPerCPU=500
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=2000
PartitionName=main Nodes=ALL Default=YES State=UP
"""


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A cluster that runs; what SLURM's commands need in their environment."""
    path = "/usr/sbin:/sbin:/usr/bin:/bin"
    programs = {name: place for name in PROGRAMS if (place := shutil.which(name, path=path))}
    if lacking := [name for name in PROGRAMS if name not in programs]:
        pytest.skip(f"there is no {', '.join(lacking)}: apt-get install slurmctld slurmd slurm-client munge")
    folder = tmp_path_factory.mktemp("slurm")
    for part in ("munge", "state", "spool"):
        (folder / part).mkdir(mode=0o755)
    config, munge = folder / "slurm.conf", folder / "munge"
    given = {"host": socket.gethostname().partition(".")[0], "user": getpass.getuser(), "folder": folder}
    config.write_text(CONFIG.format(**given, controller=free_port(), daemon=free_port()))
    (munge / "key").touch(mode=0o600)
    (munge / "key").write_bytes(secrets.token_bytes(128))
    files = {"--key-file": "key", "--socket": "socket", "--pid-file": "pid", "--log-file": "log", "--seed-file": "seed"}
    commands = [
        [programs["munged"], "--foreground", "--force", *(f"{name}={munge / file}" for name, file in files.items())],
        [programs["slurmctld"], "-D", "-f", str(config)],
        [programs["slurmd"], "-D", "-f", str(config)],
    ]
    environment = {"SLURM_CONF": str(config)}
    started = []
    try:
        with (folder / "words.log").open("w") as words:
            for command in commands:
                started.append(subprocess.Popen(command, stdout=words, stderr=words))
        wait_until(lambda: _is_idle({"PATH": path, **environment}), log=folder / "words.log")
        yield environment
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(30)


def _is_idle(environment: dict[str, str]) -> bool:
    command = ["sinfo", "--noheader", "--format=%T"]
    return "idle" in subprocess.run(command, env=environment, capture_output=True, text=True).stdout
