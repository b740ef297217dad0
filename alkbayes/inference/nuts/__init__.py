"""The PyMC model, compiled and sampled by nutpie; the only package that imports PyMC and PyTensor."""

import sys

import arviz_base

# nutpie takes two functions of `arviz`, both arviz_base's own. `arviz` itself imports pyplot, half a second of every
# fit, so nutpie is given arviz_base; whoever imports `arviz` afterwards gets all of it.
if "arviz" not in sys.modules:
    sys.modules["arviz"] = arviz_base
    try:
        import nutpie as nutpie
    finally:
        del sys.modules["arviz"]
