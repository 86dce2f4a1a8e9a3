"""Computing again in a process of its own, where nothing but sources and installed libraries decides a number.

A kernel in numba's cache, a ``.pyc`` beside a source, a ``sitecustomize``, a ``.pth`` file and a library that was
patched when this process started change numbers and no source. The process that computes sees none of them: Python
starts it isolated, without ``site``, with an empty folder in place of every cache, and with no variable of this one.
"""

import json
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from importlib.machinery import SourceFileLoader
from pathlib import Path

import mrv_assets
from mrv_assets.audit.canonical import Json
from mrv_assets.verify.again import Done, Job, here
from mrv_assets.verify.environment import edited_files
from mrv_assets.verify.finding import Finding
from mrv_assets.verify.rerun import Compared, not_rerun

_PACKAGE = Path(mrv_assets.__file__).parent
_ANSWER = "mrv-rerun "
"""Beginning of a line with an answer: libraries may print lines of their own."""
_START = """\
import json, sys
asked = json.load(sys.stdin)
sys.path += asked["path"]
from mrv_assets.verify.isolated import serve
serve(asked)
"""


def apart(root: Path, jobs: Sequence[Job]) -> Iterator[Done]:
    """Compute jobs in a process of its own, from sources alone; the last result is of its environment.

    Jobs that a process which ended early did not answer were not computed again, and say why.
    """
    installed = [sysconfig.get_path(kind) for kind in ("purelib", "platlib")]
    asked = {
        # The package may lie in a checkout, whose other folders must not hide what is installed.
        "path": [*dict.fromkeys([*installed, str(_PACKAGE.parent)])],
        "root": str(root.absolute()),
        "jobs": [asdict(job) for job in jobs],
    }
    answered = 0
    with tempfile.TemporaryDirectory(prefix="mrv-isolated-") as folder, tempfile.TemporaryFile() as errors:
        command = [sys.executable, "-I", "-S", "-B", "-X", f"pycache_prefix={folder}/pycache", "-c", _START]
        places = dict.fromkeys(("HOME", "TMPDIR", "NUMBA_CACHE_DIR"), folder)
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, cwd=folder, env=places
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            # A process that has ended already says why on its stderr.
            with suppress(BrokenPipeError):
                process.stdin.write(json.dumps(asked).encode())
            with suppress(BrokenPipeError):
                process.stdin.close()
            for line in process.stdout:
                if line.startswith(_ANSWER.encode()):
                    answered += 1
                    yield _read(json.loads(line[len(_ANSWER) :]))
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip().rpartition("\n")[2]
    if answered <= len(jobs):
        why = f"the isolated process ended with exit code {process.returncode} ({said[:200] or 'it said nothing'})"
        for job in jobs[min(answered, len(jobs) - 1) :]:
            # Without its last answer nobody knows in which environment it computed.
            yield Done(compared=(not_rerun(job.assets[0], job.tile, job.month, why),))


def _read(answer: Json) -> Done:
    return Done(
        compared=tuple(Compared(**{**one, "other": tuple(one["other"])}) for one in answer["compared"]),
        findings=tuple(Finding(**one) for one in answer["findings"]),
    )


def serve(asked: Json) -> None:
    """Answer jobs, each with a line on stdout as soon as it is done: the work of the process that is apart."""
    jobs = [Job(tile=job["tile"], month=job["month"], assets=tuple(job["assets"])) for job in asked["jobs"]]
    for done in here(Path(asked["root"]), jobs):
        _answer(done)
    folders = [Path(folder) for folder in asked["path"] if folder != str(_PACKAGE.parent)]
    _answer(Done(findings=(*_other_than_source(), *edited_files(folders))))


def _answer(done: Done) -> None:
    print(f"{_ANSWER}{json.dumps(asdict(done))}", flush=True)


def _other_than_source() -> Iterator[Finding]:
    """Modules of this package that were not read from their source, such as a compiled one beside it."""
    for name, module in sorted(sys.modules.items()):
        spec = getattr(module, "__spec__", None)
        if name.partition(".")[0] == mrv_assets.__name__ and not isinstance(
            getattr(spec, "loader", None), SourceFileLoader
        ):
            yield Finding(
                object=str(getattr(spec, "origin", name)),
                check="environment_edited",
                expected=f"the source of {name}",
                found="something compiled",
                cure="Install mrv_assets again, and verify once more: what was computed here says nothing.",
            )
