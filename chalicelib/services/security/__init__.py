"""Rights, keys, signatures, passwords and throttles: what every other room asks first."""
