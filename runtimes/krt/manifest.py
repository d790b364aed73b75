"""The descriptions of a model's runtime: krt.yml of the archive (KRE v2), and the YAML of a KAI product.

Formats: https://github.com/konstellation-io/kre (KRT v2) and https://github.com/konstellation-io/krt (KAI).
"""

import re
from typing import Any, NamedTuple

import yaml

from runtimes.krt.messages import FILE, RPC

LONGEST_NAME = 19  # of KRE; KAI takes one more
ENTRYPOINT_IMAGE = "konstellation/kre-entrypoint:latest"
TRIGGER_IMAGE = "konstellation/kai-grpc-trigger:latest"
NODE = "model"
SOURCE = f"src/{NODE}/main.py"
PORT = 9000


class Release(NamedTuple):
    """A registered version of a model, and the image that its node runs in."""

    model: str
    number: int
    description: str
    image: str

    @property
    def name(self) -> str:
        """What KRE calls it, in at most 19 signs: best-model-v3."""
        end = f"-v{self.number}"
        return project_name(self.model)[: LONGEST_NAME - len(end)].rstrip("-") + end


def project_name(model: str) -> str:
    """A model's name in the signs that KRE and KAI take."""
    return re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")[:LONGEST_NAME].rstrip("-")


def krt_yml(release: Release) -> str:
    """The archive's krt.yml: one workflow of one node, which predicts."""
    node = {
        "name": NODE,
        "image": release.image,
        "src": SOURCE,
        "gpu": False,
        "replicas": 1,
        "subscriptions": ["entrypoint"],
    }
    workflow = {"name": "predict", "entrypoint": RPC, "exitpoint": NODE, "nodes": [node]}
    return _yaml(
        {
            "krtVersion": "v2",
            "version": release.name,
            "description": release.description,
            "entrypoint": {"proto": FILE, "image": ENTRYPOINT_IMAGE},
            "workflows": [workflow],
        }
    )


def kai_yaml(release: Release) -> str:
    """The product for KAI: a trigger that takes requests, and the model, which answers them."""
    limits = {"CPU": {"request": "250m", "limit": "1"}, "memory": {"request": "512Mi", "limit": "2Gi"}}
    trigger = {
        "name": "entrypoint",
        "type": "trigger",
        "image": TRIGGER_IMAGE,
        "subscriptions": [NODE],
        "networking": {"targetPort": PORT, "destinationPort": PORT, "protocol": "GRPC"},
        "resourceLimits": limits,
    }
    model = {
        "name": NODE,
        "type": "exit",
        "image": release.image,
        "subscriptions": ["entrypoint"],
        "resourceLimits": limits,
    }
    return _yaml(
        {
            "version": f"v{release.number}.0.0",
            "description": release.description,
            "workflows": [{"name": "predict", "type": "serving", "processes": [trigger, model]}],
        }
    )


def _yaml(content: dict[str, Any]) -> str:
    # Without aliases: what stands twice is written twice, as people write it.
    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    return yaml.dump(content, Dumper=Plain, sort_keys=False, allow_unicode=True)
