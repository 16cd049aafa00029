"""What a person at a terminal sees of bytes on their way: a line for each blob, redrawn in place; silent elsewhere."""

import shutil
import threading
import time
from typing import TextIO

REDRAW_S = 0.2
BAR = 24
UP, CLEAR = "\x1b[{}A", "\x1b[J"


class ProgressBoard:
    """The lines that are open, at the bottom of a terminal; for several threads at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._is_terminal = stream, stream.isatty()
        self._lock, self._drawn, self._last = threading.RLock(), 0, 0.0
        self._lines: list[ProgressLine] = []

    def line(self, title: str) -> "ProgressLine":
        """A new line, which its owner ends."""
        line = ProgressLine(self, title)
        with self._lock:
            self._lines.append(line)
        return line

    def remove(self, line: "ProgressLine", summary: str) -> None:
        """Ends a line; what is left of it stands above the open ones."""
        with self._lock:
            if line in self._lines:
                self._lines.remove(line)
                self._draw(f"{line.title}  {summary}\n" if summary else "")

    def redraw(self) -> None:
        """Something moved."""
        if self._is_terminal and time.monotonic() - self._last > REDRAW_S:
            with self._lock:
                self._draw("")

    def log(self, sentence: str) -> None:
        """A sentence that is seen without a terminal too."""
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
    """How far one blob is on one stretch of its way. `total` is in bytes, None while nobody knows it."""

    def __init__(self, board: ProgressBoard, title: str) -> None:
        self._board, self.title, self._lock = board, title, threading.Lock()
        self._started = time.monotonic()
        self.start_step("", None)

    def start_step(self, step: str, total: int | None) -> None:
        """Begins a stretch of the way, such as `sending`."""
        self._step, self._total, self._done, self._since, self._note = step, total, 0, time.monotonic(), ""
        self._board.redraw()

    def advance(self, count: int) -> None:
        """`count` more bytes; less than none when some have to be sent again."""
        with self._lock:
            self._done += count
        self._board.redraw()

    def show_note(self, words: str) -> None:
        """Words instead of a bar."""
        self._note = words
        self._board.redraw()

    def end(self, size: int | None) -> None:
        """The blob of `size` bytes is there; None: it is not, and somebody else says why."""
        seconds = max(time.monotonic() - self._started, 0.001)
        words = "" if size is None else f"{size / 1e6:.1f} MB in {seconds:.0f} s, {size / 1e6 / seconds:.1f} MB/s"
        self._board.remove(self, words)

    def text(self) -> str:
        """The line as it is drawn."""
        if self._note:
            return f"{self.title}  {self._note}"
        speed = self._done / 1e6 / max(time.monotonic() - self._since, 0.001)
        done = f"{self._done / 1e6:.1f}"
        if not self._total:
            return f"{self.title}  {self._step} {done} MB  {speed:.1f} MB/s"
        share = min(1.0, max(0.0, self._done / self._total))
        bar = ("#" * int(share * BAR)).ljust(BAR, "-")
        return f"{self.title}  {self._step} [{bar}] {share:4.0%}  {done}/{self._total / 1e6:.1f} MB  {speed:.1f} MB/s"
