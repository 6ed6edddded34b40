"""What builds the wheel `larnn`: setuptools, once uPlot is among the service's files."""

import shutil
from collections.abc import Mapping

import uplot
from setuptools import build_meta
from setuptools.build_meta import (
    get_requires_for_build_sdist,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_wheel",
]
Settings = Mapping[str, str | list[str] | None] | None


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    """npm, where it is needed and the machine has none."""
    needed = not uplot.is_there() and not shutil.which("npm")
    return build_meta.get_requires_for_build_wheel(config_settings) + [uplot.NODE] * needed


def build_wheel(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    """The wheel, with uPlot in it."""
    uplot.fetch()
    return build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    """The sources, with uPlot among them."""
    uplot.fetch()
    return build_meta.build_sdist(sdist_directory, config_settings)
