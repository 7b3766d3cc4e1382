"""What the studies in ``examples/`` show, on shorter runs, deterministic from their seeds."""

import pytest

pytest.importorskip("sklearn")

from examples import fp8_transformer, low_precision_sgd, nvfp4_forward


@pytest.mark.parametrize("fmt", ["fixed<8,5>", "e4m3"])
def test_nearest_rounding_stalls_and_stochastic_does_not(fmt: str) -> None:
    single, nearest, stochastic = (
        low_precision_sgd.train(fmt, method, steps=1000) for method in low_precision_sgd.METHODS
    )
    assert nearest.moving < 0.4 < stochastic.moving
    assert nearest.loss > single.loss + 0.15
    assert stochastic.loss < single.loss + 0.05


@pytest.mark.parametrize("fmt", ["fixed<8,5>", "bfp<8,block=16>"])
def test_averaged_weights_go_below_the_noise_of_the_grid(fmt: str) -> None:
    run = low_precision_sgd.train(fmt, "stochastic", steps=1500)
    assert run.average_loss < run.loss


def test_the_second_level_scale_makes_small_weights_as_good_as_any() -> None:
    model = nvfp4_forward.trained(200)
    runs = {
        (factor, fmt): nvfp4_forward.forward(model, factor, fmt)
        for factor in (1.0, 2.0**-8)
        for fmt in (nvfp4_forward.TWO_LEVELS, nvfp4_forward.ONE_LEVEL)
    }
    two, one = (
        {factor: runs[factor, fmt] for factor in (1.0, 2.0**-8)}
        for fmt in (nvfp4_forward.TWO_LEVELS, nvfp4_forward.ONE_LEVEL)
    )
    assert two[2.0**-8].sqnr == pytest.approx(two[1.0].sqnr, abs=0.1)
    assert two[2.0**-8].accuracy > 0.9
    assert one[1.0].sqnr > 15
    assert one[2.0**-8].sqnr < 3
    assert one[2.0**-8].accuracy < 0.5


def test_fp8_with_scales_trains_as_float32_does() -> None:
    single, scaled = (fp8_transformer.train(name, 120) for name in ("float32", "nvidia-h100-fp8"))
    assert single.last < single.first - 1
    assert scaled.last < single.last + 0.1
