"""The rules of KAI for the YAML of a product, those too that the platform does not check itself."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from runtimes.krt.rules import NAME, Described, Text, parsed, twice

UNITS = ("", "k", "M", "G", "T", "P", "E")
Name = Annotated[str, StringConstraints(pattern=NAME, max_length=20)]
Cores = Annotated[str, StringConstraints(pattern=r"^(\d+(\.\d+)?|\d{3}m)$")]
Bytes = Annotated[str, StringConstraints(pattern=r"^\d+(Ei?|Pi?|Ti?|Gi?|Mi?|k|Ki)$")]


class ObjectStore(Described):
    """Where a process keeps objects."""

    name: Name
    scope: Literal["product", "workflow"]


class Networking(Described):
    """The port that a process listens at, and the one that it is reached by."""

    target_port: int = Field(ge=1, le=65535)
    destination_port: int = Field(ge=1, le=65535)
    protocol: Literal["GRPC", "HTTP"]


class Cpu(Described):
    """Cores."""

    request: Cores
    limit: Cores


class Memory(Described):
    """Bytes."""

    request: Bytes
    limit: Bytes


class Limits(Described):
    """What a process asks for, and the most that it gets."""

    cpu: Cpu = Field(alias="CPU")
    memory: Memory


class Process(Described):
    """What runs, and whose messages it hears."""

    name: Name
    type: Literal["trigger", "task", "exit"]
    image: Text
    subscriptions: list[Text] = Field(min_length=1)
    resource_limits: Limits
    networking: Networking | None = None
    object_store: ObjectStore | None = None
    replicas: int = Field(1, ge=1)
    gpu: bool = False
    config: dict[str, str] | None = None
    secrets: list[str] | None = None


class Workflow(Described):
    """Processes from a trigger to an exit."""

    name: Name
    type: Literal["data", "training", "feedback", "serving"]
    processes: list[Process] = Field(min_length=1)
    config: dict[str, str] | None = None


class Product(Described):
    """The whole."""

    version: str = Field(pattern=r"^v\d+\.\d+\.\d+$")
    description: Text
    workflows: list[Workflow] = Field(min_length=1)
    config: dict[str, str] | None = None


def kai_problems(text: bytes, name: str = "the product") -> list[str]:
    """What is wrong with the YAML of a KAI product."""
    product, problems = parsed(Product, text, name)
    if product is None:
        return problems
    for workflow in product.workflows:
        problems += _workflow(workflow)
    return problems + twice("workflow", (one.name for one in product.workflows))


def _workflow(workflow: Workflow) -> Iterator[str]:
    place = f"workflow {workflow.name}"
    types = {process.name: process.type for process in workflow.processes}
    yield from (f"{place}: {found}" for found in twice("process", (one.name for one in workflow.processes)))
    for wanted in ("trigger", "exit"):
        if wanted not in types.values():
            yield f"{place}: at least one {wanted} is needed"
    for process in workflow.processes:
        allowed = {"exit"} if process.type == "trigger" else {"trigger", "task"}
        for subscription in process.subscriptions:
            other = types.get(subscription.split(".")[0])
            if subscription.split(".")[0] == process.name:
                yield f"{place}: {process.name} subscribes to itself"
            elif other is None:
                yield f"{place}: {process.name} subscribes to {subscription!r}, which is not a process"
            elif other not in allowed:
                yield f"{place}: {process.name} is a {process.type}, which can't subscribe to {other} {subscription}"
        yield from (f"{place}: {process.name}: {found}" for found in twice("subscription", process.subscriptions))
        limits = process.resource_limits
        for name, kind in (("CPU", limits.cpu), ("memory", limits.memory)):
            if amount(kind.limit) < amount(kind.request):
                yield f"{place}: {process.name}: {name} limit {kind.limit} is less than the request {kind.request}"


def amount(quantity: str) -> float:
    """What a quantity of Kubernetes amounts to: 250m is 0.25, 1Ki is 1024."""
    found = re.fullmatch(r"([\d.]+)([kKMGTPE]?)(i?)(m?)", quantity)
    if not found:
        raise ValueError(quantity)
    number, unit, binary, milli = found.groups()
    factor: float = (1024 if binary else 1000) ** UNITS.index(unit.replace("K", "k"))
    return float(number) * factor / (1000 if milli else 1)
