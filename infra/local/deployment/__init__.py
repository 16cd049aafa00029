"""infra/terraform applied to an emulated AWS: `deployment` has the whole life of one, `front` is what clients reach."""
