"""Writes docs/cost.md: `python -m infra.cost`."""

from infra.cost.page import PAGE, document, figure

PAGE.write_text(document(), "utf-8")
print(f"{PAGE} is written. README.md must say: {figure()}.")
