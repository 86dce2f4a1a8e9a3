"""Fewer collections of garbage: what the tests import and collect are millions of objects that live to the end."""

import gc

gc.set_threshold(50_000, 20, 50)
