"""The framework of the API: how operations are declared, checked, answered and described."""
