"""Laws that the samplers obey."""
