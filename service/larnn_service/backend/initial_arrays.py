"""What state and context are before anything moved or was given, where files say so."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larnn_service.backend.model_files import VersionFolder
from larnn_service.contract import Contract, ContractError
from larnn_service.tensors import CarriedTensor, File


def read_arrays(files: VersionFolder, contract: Contract) -> dict[str, NDArray[Any]]:
    """[*shape] of each tensor that a file is named for. Raises StartupError, ContractError."""
    return {
        tensor.name: _array(files.verified(file), file, tensor)
        for tensor, file in named_files(contract)
    }


def named_files(contract: Contract) -> list[tuple[CarriedTensor, File]]:
    """The tensors that a file is named for: of state, and of context, whose default it is."""
    told: list[tuple[CarriedTensor, object]] = [(each, each.initial) for each in contract.state]
    told += [(each, each.default) for each in contract.context]
    return [(tensor, file) for tensor, file in told if isinstance(file, File)]


def _array(data: bytes, file: File, tensor: CarriedTensor) -> NDArray[Any]:
    """Reads no more than the tensor holds, whatever the file's header says."""
    stream = io.BytesIO(data)
    try:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(stream)
    except Exception:  # on a damaged header numpy's parser fails in many ways
        raise ContractError(tensor.name, f"{file.file} is not as numpy.save writes it") from None
    wanted = tensor.shape, tensor.numpy_dtype
    if (shape, dtype) != wanted or fortran_order or len(data) != stream.tell() + tensor.nbytes:
        raise ContractError(
            tensor.name,
            f"{file.file} holds {dtype} {list(shape)}; the manifest asks for "
            f"{tensor.numpy_dtype} {list(tensor.shape)} in C order",
        )
    array = np.frombuffer(data, dtype, offset=stream.tell()).reshape(shape)
    if not tensor.is_good(array):
        raise ContractError(tensor.name, f"{file.file} holds what is no finite {tensor.dtype}")
    return array
