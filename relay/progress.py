"""The progress of uploads on a terminal: one line for each blob, redrawn in place. Without a terminal it is silent."""

import shutil
import threading
import time
from typing import TextIO

REDRAW_S = 0.2
BAR = 24
UP, CLEAR = "\x1b[{}A", "\x1b[J"


class ProgressBoard:
    """The open lines at the bottom of a terminal; it is thread-safe."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._is_terminal = stream, stream.isatty()
        self._lock, self._drawn, self._last = threading.RLock(), 0, 0.0
        self._lines: list[ProgressLine] = []

    def line(self, title: str) -> "ProgressLine":
        """Opens a line, which the caller has to end."""
        line = ProgressLine(self, title)
        with self._lock:
            self._lines.append(line)
        return line

    def remove(self, line: "ProgressLine", summary: str) -> None:
        """Removes a line; `summary` stays above the open ones."""
        with self._lock:
            if line in self._lines:
                self._lines.remove(line)
                self._draw(f"{line.title}  {summary}\n" if summary else "")

    def redraw(self) -> None:
        """Redraws the lines if the last time was long enough ago."""
        if self._is_terminal and time.monotonic() - self._last > REDRAW_S:
            with self._lock:
                self._draw("")

    def log(self, sentence: str) -> None:
        """Prints a sentence, also if there is no terminal."""
        with self._lock:
            if self._is_terminal:
                self._draw(f"{sentence}\n")
            else:
                print(sentence, file=self._stream, flush=True)

    def _draw(self, text_above: str) -> None:
        if not self._is_terminal:
            return
        self._last = time.monotonic()
        width = shutil.get_terminal_size().columns
        rewind = "\r" + (UP.format(self._drawn) if self._drawn else "")
        lines = [text_above, *(f"{line.text()[: width - 1]}\n" for line in self._lines)]
        self._stream.write(rewind + CLEAR + "".join(lines))
        self._stream.flush()
        self._drawn = len(self._lines)


class ProgressLine:
    """The progress of one blob in one step. `total` is in bytes, None if it is unknown."""

    def __init__(self, board: ProgressBoard, title: str) -> None:
        self._board, self.title, self._lock = board, title, threading.Lock()
        self._started = time.monotonic()
        self.start_step("", None)

    def start_step(self, step: str, total: int | None) -> None:
        """Starts a step, such as `sending`."""
        self._step, self._total, self._done, self._since, self._note = step, total, 0, time.monotonic(), ""
        self._board.redraw()

    def advance(self, count: int) -> None:
        """Counts `count` more bytes; the number is negative if bytes have to be sent again."""
        with self._lock:
            self._done += count
        self._board.redraw()

    def show_note(self, words: str) -> None:
        """Shows a text instead of the bar."""
        self._note = words
        self._board.redraw()

    def end(self, size: int | None) -> None:
        """Ends the line. `size` is that of the finished blob, None if it failed; the error is reported elsewhere."""
        seconds = max(time.monotonic() - self._started, 0.001)
        words = "" if size is None else f"{size / 1e6:.1f} MB in {seconds:.0f} s, {size / 1e6 / seconds:.1f} MB/s"
        self._board.remove(self, words)

    def text(self) -> str:
        """Returns the line as it is drawn."""
        if self._note:
            return f"{self.title}  {self._note}"
        speed = self._done / 1e6 / max(time.monotonic() - self._since, 0.001)
        done = f"{self._done / 1e6:.1f}"
        if not self._total:
            return f"{self.title}  {self._step} {done} MB  {speed:.1f} MB/s"
        share = min(1.0, max(0.0, self._done / self._total))
        bar = ("#" * int(share * BAR)).ljust(BAR, "-")
        return f"{self.title}  {self._step} [{bar}] {share:4.0%}  {done}/{self._total / 1e6:.1f} MB  {speed:.1f} MB/s"
