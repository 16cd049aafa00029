"""What may be asked, by whom: one class per concept."""
