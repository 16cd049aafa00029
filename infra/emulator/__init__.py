"""An emulated AWS: `emulator` runs ministack, `repairs` correct it, and `deployment` applies infra/terraform to it."""
