# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the end-to-end tests: a weird of one's own, with its socket below tmp_path."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|\bruntime error: ")
BUILD = pathlib.Path(os.environ.get("WEIR_BUILD", ROOT / "build"))


class Weird:
    """A running weird; stop() says what it returned and keeps its log in .log."""

    def __init__(self, tmp_path, config, env, args=()):
        self.dir = tmp_path
        self.socket = str(tmp_path / "control.sock")
        self.config = tmp_path / "weir.yaml"
        self.config.write_text(config)
        self.log_path = tmp_path / "weird.log"
        self.env = dict(os.environ, WEIR_SOCKET=self.socket, **env)
        self.args = [str(BUILD / "daemon" / "weird"), "-c", str(self.config), *args]
        self.process = None
        self.start()

    def start(self):
        self.log_file = open(self.log_path, "ab")
        self.process = subprocess.Popen(self.args, env=self.env, stdout=self.log_file,
                                        stderr=self.log_file, cwd=self.dir)
        self.wait_ready()

    def wait_ready(self, seconds=15):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"weird ended with {self.process.returncode}:\n{self.log}")
            s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                s.connect(self.socket)
                return
            except OSError:
                time.sleep(0.01)
            finally:
                s.close()
        raise RuntimeError(f"weird is not ready after {seconds} s:\n{self.log}")

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    @property
    def pid(self):
        return self.process.pid

    def stop(self, sig=signal.SIGTERM, seconds=10):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        self.log_file.close()
        return self.process.returncode


@pytest.fixture
def start_weird(tmp_path):
    """start_weird(config, **env) → Weird; all of them are stopped at the end."""
    started = []

    def start(config="version: 1\n", args=(), **env):
        directory = tmp_path / f"weird{len(started)}"
        directory.mkdir()
        weird = Weird(directory, config, env, args)
        started.append(weird)
        return weird

    yield start
    for weird in started:
        if weird.process.poll() is None:
            weird.stop()
    for weird in started:
        found = SANITIZER.search(weird.log)
        assert not found, f"a sanitizer spoke up in {weird.log_path}:\n{weird.log[found.start():]}"


@pytest.fixture
def weird(start_weird):
    """A weird without ports: the control plane alone."""
    return start_weird()


@pytest.fixture
def bpf(weird, monkeypatch):
    """The bpf(2) client of this process, talking to that weird."""
    import bpfclient

    monkeypatch.setenv("WEIR_SOCKET", weird.socket)
    return bpfclient.Bpf(weird.socket)
