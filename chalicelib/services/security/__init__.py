"""Rights, keys, signatures, passwords and throttles, which every other room uses."""
