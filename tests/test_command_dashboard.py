"""``python -m pytest_reprotest dashboard``: how it starts, what it refuses, how it ends."""

import importlib.util
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from folders import put

from pytest_reprotest.commands import main
from pytest_reprotest.dashboard import serve


def test_it_serves_until_it_is_interrupted(tmp_path):
    pytest.importorskip("dash", reason="the extra dashboard is not installed")
    put(tmp_path, "a.json")
    command = [sys.executable, "-m", "pytest_reprotest", "dashboard", str(tmp_path), "--port=0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line.startswith(f"The results of {tmp_path} are at http://127.0.0.1:")
        assert line.endswith("/ until Ctrl-C.\n")
        with urllib.request.urlopen(line.split()[-3]) as answer:
            assert b"Reproducibility over time" in answer.read()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out, err) == (0, "Stopped.\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


REFUSED = [
    (["missing"], "the folder missing does not exist; expected a folder of results"),
    (["a.json"], "a.json is a file; expected a folder of results: .?"),
    ([".", "--host=no.such.host.invalid"], "--host=no.such.host.invalid is no address of this machine"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_what_cannot_be_served_is_said(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    put(tmp_path, "a.json")
    monkeypatch.setattr(serve, "check_installed", lambda: None)
    assert main(["dashboard", *arguments]) == 2
    assert capsys.readouterr().err.startswith(message)


def test_a_port_that_is_taken_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(serve, "check_installed", lambda: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["dashboard", str(tmp_path), f"--port={port}"]) == 2
    said = capsys.readouterr().err
    assert said == (
        f"nothing can be served at 127.0.0.1, port {port}: Address already in use; choose another "
        "with --port, or let --port=0 take one that is free\n"
    )


@pytest.mark.parametrize("port", ["-1", "65536", "1e3", "", "٣"])
def test_a_port_is_a_number(port, capsys):
    with pytest.raises(SystemExit) as refusal:
        main(["dashboard", ".", f"--port={port}"])
    assert refusal.value.code == 2
    assert f"got {port!r}; expected a number from 0 to 65535" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        (("dash",), "dash, which is not installed"),
        (("dash", "plotly"), "dash and plotly, which are not installed"),
    ],
)
def test_a_missing_extra_is_said_first(missing, told, monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in missing else find(name)
    )
    assert main(["dashboard", "no folder"]) == 2
    assert capsys.readouterr().err == (
        f"the dashboard takes {told}; install what it takes: "
        "pip install 'pytest-reprotest[dashboard]'\n"
    )


class Server:
    """Stands in for the server, and ends at once."""

    def serve_forever(self):
        pass


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("127.0.0.1", []),
        ("0.0.0.0", ["Whoever reaches this address can read them: there is no password."]),
    ],
)
def test_who_else_can_read_it_is_said(host, told, tmp_path, monkeypatch):
    pytest.importorskip("dash", reason="the extra dashboard is not installed")
    import werkzeug.serving

    monkeypatch.setattr(werkzeug.serving, "make_server", lambda *_, **__: Server())
    said, opened = [], []
    monkeypatch.setattr(serve.webbrowser, "open", lambda address: opened.append(address))
    serve.serve(tmp_path, host, 0, True, said.append)
    assert said[1:-1] == told
    assert said[-1] == "No browser could be opened: open that address yourself."
    name = "localhost" if told else "127.0.0.1"
    assert opened[0].startswith(f"http://{name}:")


def test_an_interrupt_before_it_serves_is_an_end_like_any_other(tmp_path, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(serve, "serve", interrupted)
    monkeypatch.setattr(serve, "check_installed", lambda: None)
    assert main(["dashboard", str(tmp_path)]) == 0
    assert capsys.readouterr() == ("Stopped.\n", "")


@pytest.mark.parametrize("arguments", [["--help"], ["missing"]])
def test_dash_is_loaded_by_nothing_else(arguments):
    script = f"""
import sys
from pytest_reprotest.commands import main
try:
    main(["dashboard", *{arguments!r}])
except SystemExit:
    pass
heavy = {{"dash", "flask", "werkzeug", "plotly", "torch", "pytest"}}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
