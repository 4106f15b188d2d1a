"""What the workflow asks of the second readers' settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lstv.base.cli import options
from lstv.run import checks


@dataclass(frozen=True)
class Readers:
    """The programs that are asked for, by name, with their settings; ``jobs`` of each, ``minutes`` a study."""

    programs: Mapping[str, Mapping[str, Any]]
    jobs: int
    minutes: float

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Readers:
        """From complete settings."""
        part = settings["second_reader"]
        return cls(checks.second_readers(settings), part["parallel_jobs"], part["study_minutes"])

    @property
    def run(self) -> list[str]:
        """Programs that are run; of the others the masks are there."""
        return [name for name, values in self.programs.items() if values["masks"] is None]

    @property
    def without_container(self) -> list[str]:
        """Programs that are run and have no container."""
        return [name for name in self.run if self.programs[name]["container"] is None]

    @property
    def manifests(self) -> list[str]:
        """File names of what became of the studies, of all jobs."""
        return [f"{name}-{part}-of-{self.jobs}.csv" for name in self.run for part in range(1, self.jobs + 1)]

    def container(self, name: str) -> str | None:
        """The image of a program; None where it has none or is not asked for."""
        return self.programs.get(name, {}).get("container")

    def arguments(self, name: str) -> str:
        """Options of the program that runs it."""
        values = self.programs.get(name, {})
        return options(
            program=name, command=values.get("command"), models=values.get("models"), study_minutes=self.minutes
        )

    def folders(self, results: str) -> dict[str, str]:
        """Where the masks of each program are."""
        return {name: values["masks"] or f"{results}/{name}" for name, values in self.programs.items()}


def no_container(names: list[str]) -> str:
    """A sentence for a run in containers whose second readers have none."""
    return (
        f"second_reader.{names[0]}.container is not set, but jobs run in containers: name the image with the program, or "
        f"the folder of masks that exist already (second_reader.{names[0]}.masks)."
    )
