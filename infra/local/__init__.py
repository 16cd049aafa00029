"""The house on a laptop: bootstrap -> installation, then supervisor -> servers, seed and gateway workers."""
