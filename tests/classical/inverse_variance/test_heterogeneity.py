"""Q, I2 and H2, by hand and against whole matrices."""

import numpy as np
import pytest
from scipy.stats import chi2

from alkbayes.classical.inverse_variance.heterogeneity import cochran_q, i2_h2, typical_variance

YI = np.array([0.2, 1.1, -0.4, 0.9, 2.0])
VI = np.array([0.10, 0.25, 0.05, 0.40, 0.20])
DESIGN = np.column_stack([np.ones(5), [0.0, 1.0, 4.0, 2.0, 3.0]])


def test_q_by_hand() -> None:
    w = 1 / VI
    q = (w * (YI - (w * YI).sum() / w.sum()) ** 2).sum()
    result = cochran_q(YI, VI)
    assert result.q == pytest.approx(q, rel=1e-13)
    assert result.df == 4
    assert result.p == pytest.approx(chi2.sf(q, 4), rel=1e-12)


def test_q_about_a_design_has_fewer_degrees_of_freedom() -> None:
    weights = np.diag(1 / VI)
    projection = weights - weights @ DESIGN @ np.linalg.inv(DESIGN.T @ weights @ DESIGN) @ DESIGN.T @ weights
    result = cochran_q(YI, VI, DESIGN)
    assert result.df == 3
    assert result.q == pytest.approx(YI @ projection @ YI, rel=1e-12)
    assert typical_variance(VI, DESIGN) == pytest.approx(3 / np.trace(projection), rel=1e-12)


def test_i2_from_the_moment_estimate_is_that_from_q() -> None:
    w = 1 / VI
    q = cochran_q(YI, VI).q
    i2, h2 = i2_h2((q - 4) / (w.sum() - (w**2).sum() / w.sum()), VI)
    assert i2 == pytest.approx((q - 4) / q, rel=1e-12)
    assert h2 == pytest.approx(q / 4, rel=1e-12)
    assert i2_h2(0.0, VI) == (0, 1)


def test_equal_variances_are_typical() -> None:
    assert typical_variance(np.full(7, 0.3)) == pytest.approx(0.3, rel=1e-14)
