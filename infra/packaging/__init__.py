"""What Lambda runs: one zip of bytecode for one architecture, the functions it declares, and what is said of both."""
