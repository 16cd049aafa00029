"""How operations are declared, checked, answered and described."""
