"""The arithmetic itself: scalar integer expressions that every backend compiles from the same
text.
"""
