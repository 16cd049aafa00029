"""The progress is shown on a terminal only."""

import io

import pytest

from relay.progress import ProgressBoard


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_a_bar_and_finally_a_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.progress.REDRAW_S", -1)
    terminal = Terminal()
    line = ProgressBoard(terminal).line("sha256:abc")
    line.start_step("sending", 4_000_000)
    line.advance(3_000_000)
    line.advance(-1_000_000)
    shown = terminal.getvalue()
    line.end(4_000_000)

    assert "sha256:abc  sending [############------------]  50%  2.0/4.0 MB" in shown
    assert "sha256:abc  4.0 MB in 0 s, " in terminal.getvalue().removeprefix(shown)


def test_each_upload_has_a_line_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.progress.REDRAW_S", -1)
    terminal = Terminal()
    board = ProgressBoard(terminal)
    first, second = board.line("first"), board.line("second")
    second.show_note("waiting")
    shown = terminal.getvalue()
    first.end(None)
    second.end(None)

    assert shown.endswith("first   0.0 MB  0.0 MB/s\nsecond  waiting\n")
    assert terminal.getvalue().endswith("\r\x1b[1A\x1b[J")


def test_a_pipe_gets_messages_but_no_progress_lines() -> None:
    pipe = io.StringIO()
    board = ProgressBoard(pipe)
    line = board.line("sha256:abc")
    line.start_step("sending", 10)
    line.advance(10)
    board.log("a sentence")
    line.end(10)

    assert pipe.getvalue() == "a sentence\n"
