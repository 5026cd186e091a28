"""Finds the native library, checks its version and declares its functions with ctypes.

ctypes releases the interpreter during each call.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from ctypes import POINTER, c_char_p, c_int32, c_size_t, c_uint32, c_void_p

from .codes import ABI_VERSION
from .errors import LibraryError


class Buffer(ctypes.Structure):
    """The eps_buffer of the C API."""

    _fields_ = [("data", c_void_p), ("len", c_size_t), ("reserved", c_size_t)]


LogFunction = ctypes.CFUNCTYPE(None, c_void_p, c_int32, c_void_p, c_size_t)
"""The type of the C API's log function."""

NotifyFunction = ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_size_t)
"""The type of the C API's notify function."""

_TEXT, _OUT = c_char_p, POINTER(Buffer)
_FUNCTIONS = {
    "eps_client_open": (c_int32, [c_uint32, _TEXT, POINTER(c_void_p), _OUT]),
    "eps_client_close": (c_int32, [c_void_p]),
    "eps_cancel": (c_int32, [c_void_p]),
    "eps_cancel_call": (c_int32, [c_void_p, _TEXT]),
    "eps_find_contact": (c_int32, [c_void_p, _TEXT, _TEXT, _TEXT, _OUT]),
    "eps_list_points": (c_int32, [c_void_p, _TEXT, _TEXT, _OUT]),
    "eps_list_items": (c_int32, [c_void_p, _TEXT, _TEXT, _OUT]),
    "eps_purchase": (c_int32, [c_void_p, _TEXT, _TEXT, _TEXT, _OUT]),
    "eps_list_purchases": (c_int32, [c_void_p, _TEXT, _TEXT, _OUT]),
    "eps_list_rewards": (c_int32, [c_void_p, _TEXT, _TEXT, _OUT]),
    "eps_find_reward": (c_int32, [c_void_p, _TEXT, _TEXT, _OUT]),
    "eps_redeem_reward": (c_int32, [c_void_p, _TEXT, _TEXT, _TEXT, _OUT]),
    "eps_list_unacknowledged": (c_int32, [c_void_p, _TEXT, _OUT]),
    "eps_list_operations": (c_int32, [c_void_p, _TEXT, _OUT]),
    "eps_get_operation": (c_int32, [c_void_p, _TEXT, _OUT]),
    "eps_resolve_pending": (c_int32, [c_void_p, _TEXT, _OUT]),
    "eps_acknowledge": (c_int32, [c_void_p, _TEXT, _OUT]),
    "eps_resolve_review": (c_int32, [c_void_p, _TEXT, _TEXT, _TEXT, _OUT]),
    "eps_acknowledge_reference": (c_int32, [c_void_p, _TEXT, _TEXT, _OUT]),
    "eps_backup_journal": (c_int32, [c_void_p, _TEXT, _TEXT, _OUT]),
    "eps_check": (c_int32, [c_void_p, _TEXT, _OUT]),
    "eps_read_metrics": (c_int32, [c_void_p, _OUT]),
    "eps_read_stats": (c_int32, [c_void_p, _OUT]),
    "eps_set_log": (c_int32, [c_void_p, c_int32, LogFunction, c_void_p]),
    "eps_set_notify": (c_int32, [c_void_p, NotifyFunction, c_void_p]),
    "eps_new_id": (c_int32, [_OUT]),
    "eps_buffer_dispose": (None, [_OUT]),
    "eps_outcome": (c_int32, [c_int32]),
    "eps_code_name": (_TEXT, [c_int32]),
    "eps_code_action": (_TEXT, [c_int32]),
    "eps_code_meaning": (_TEXT, [c_int32]),
    "eps_json_get": (c_int32, [_OUT, _TEXT, _OUT]),
    "eps_json_quote": (c_int32, [_TEXT, _OUT]),
    "eps_version": (_TEXT, []),
    "eps_abi_version": (c_uint32, []),
}


def load() -> ctypes.CDLL:
    """Loads the library of this package, else the library of the system."""
    name, systems = "libengage_point_shop.so", "libengage_point_shop.so.1"
    if sys.platform == "win32":
        name = systems = "engage_point_shop.dll"
    own = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    path = own if os.path.exists(own) else systems
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise LibraryError(
            "The native library of engage_point_shop cannot be loaded into this "
            f"{struct.calcsize('P') * 8}-bit Python: {error}. Searched for {own}, else for {systems} in the "
            "system's library folders. Install the wheel for this platform."
        ) from error
    # The version first, because another version may lack the functions below.
    try:
        abi = int(library.eps_abi_version())
    except AttributeError as error:
        raise LibraryError(f"{path} is not engage_point_shop: {error}. Install the wheel for this platform.") from error
    if abi != ABI_VERSION:
        raise LibraryError(
            f"{path} has ABI version {abi}. This package needs {ABI_VERSION}. Install the library and the package of one release."
        )
    for function, (restype, argtypes) in _FUNCTIONS.items():
        try:
            declared = getattr(library, function)
        except AttributeError as error:
            raise LibraryError(
                f"{path} is older than this package: it has no {function}. Install the library and the package of one release."
            ) from error
        declared.restype, declared.argtypes = restype, argtypes
    return library
