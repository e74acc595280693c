"""Compiled programs that are kept for later runs, in the user's cache folder."""

import hashlib
import os
import platform
from pathlib import Path

import jax
import platformdirs

__all__ = ["keep_programs"]

# Size of the cache, beyond which the programs used longest ago are deleted.
MOST_BYTES = 2 * 10**9

# Seconds of compilation from which a program is kept.
WORTH_KEEPING = 0.2


def keep_programs() -> None:
    """Turn JAX's persistent compilation cache on, unless the user has one or the folder is read-only.

    Machines that share a home have folders of their own unless their processors can do the same, since
    compiled programs use all that a processor can. JAX locks the folder, so that runs at the same time
    may share it. Programs with host callbacks are not kept.
    """
    if jax.config.jax_compilation_cache_dir is not None:
        return
    folder = platformdirs.user_cache_path("ibjax") / "programs" / _processor()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    if os.access(folder, os.W_OK):
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_compilation_cache_max_size", MOST_BYTES)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", WORTH_KEEPING)


def _processor() -> str:
    """Return a name that processors with the same instructions share."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else [platform.processor()]
    abilities = next((line for line in lines if line.startswith(("flags", "Features"))), lines[0])
    return f"{platform.machine()}-{hashlib.sha256(abilities.encode()).hexdigest()[:12]}"
