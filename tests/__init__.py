"""Laws of numformats and samplers, against definitions of their own."""
