import subprocess
import sys

from test_cli_basics import make_good, nasprof


def test_a_machine_that_must_be_quiet_is_refused_before_anything_is_measured(tmp_path):
    make_good(tmp_path / "a.onnx")
    store = tmp_path / "store.db"
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        try:
            done = nasprof(
                "bench", "a.onnx", "--quick", "--require-quiet", "--store", store, cwd=tmp_path,
                XDG_CACHE_HOME=str(tmp_path / "cache"),
            )  # fmt: skip
        finally:
            other.kill()
    assert done.returncode == 3, done.stdout
    assert done.stdout == ""
    assert "others use" in done.stderr.splitlines()[-1]
    history = nasprof("history", "--store", store, cwd=tmp_path)
    assert history.stdout.strip() == "the store is empty"
