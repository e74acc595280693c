import os
import subprocess
import sys

import pytest

RUN = """
import jax
from experiments.lab.programs import keep_programs
keep_programs()
print(jax.config.jax_compilation_cache_dir)
"""


def folder_in_use(home, **variables):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    environment |= {"XDG_CACHE_HOME": str(home), "HOME": str(home), **variables}
    command = [sys.executable, "-c", RUN]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.slow
def test_programs_go_to_the_users_cache(tmp_path):
    assert folder_in_use(tmp_path).startswith(str(tmp_path))


@pytest.mark.slow
def test_the_users_own_cache_is_left_alone(tmp_path):
    own = str(tmp_path / "own")
    assert folder_in_use(tmp_path, JAX_COMPILATION_CACHE_DIR=own) == own


@pytest.mark.slow
def test_without_a_folder_to_write_to_nothing_is_kept(tmp_path):
    (tmp_path / "file").write_text("")
    assert folder_in_use(tmp_path / "file") == "None"
