"""The list of faults: one text changed in one place, and the tests that should see it.

Each is a mistake that published samplers have made, or a step from one.
"""

from typing import NamedTuple

LAWS = "tests/samplers/test_laws.py"
TOY = "tests/samplers/test_toy.py"
CONDUCT = "tests/samplers/test_conduct.py"
RESUME = "tests/samplers/test_resume.py"
SGHMC = "tests/samplers/test_sghmc.py"
JOINT = "tests/samplers/test_sghmc_joint.py"
CYCLES = "tests/samplers/test_cycles.py"
STATIONARY = f"{LAWS}::test_stationary_covariance_is_the_recursions"
DISTINCT = f"{CONDUCT}::test_seeds_chains_parameters_and_steps_draw_different_noise"
ON_GRID = f"{CONDUCT}::test_weights_and_velocities_of_low_accumulators_stay_on_the_grid"
ONE_PASS = (
    "tests/samplers/test_sghmc_one_pass.py::test_the_optimizer_takes_one_pass_with_the_same_bits"
)
PRIOR = f"{LAWS}::test_weight_decay_is_the_prior_precision"


class Fault(NamedTuple):
    """``old`` stands once in ``file`` and becomes ``new``; ``tests`` are files and node ids."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def _of(name: str, kind: str = "None") -> tuple[str, ...]:
    return (f"{STATIONARY}[{name}-{kind}]",)


SCALES = [
    Fault("SGLD: noise times sqrt 2", "samplers/sgld.py",
          "variance=2 * lr", "variance=4 * lr", _of("SGLD")),
    Fault("SGLD: T where its root belongs", "samplers/sgld.py",
          'group["temperature"] / group', 'group["temperature"] ** 2 / group', _of("SGLD")),
    Fault("SGLD: lr where its root belongs", "samplers/sgld.py",
          "variance=2 * lr *", "variance=2 * lr**2 *", _of("SGLD")),
    Fault("SGLD: num_data missing", "samplers/sgld.py",
          ' / group["num_data"]', "", _of("SGLD")),
    Fault("SGHMC: num_data missing", "samplers/sghmc.py",
          ' / group["num_data"]', "", _of("SGHMC")),
    Fault("pSGLD: num_data missing", "samplers/psgld.py",
          ' / group["num_data"]', "", _of("pSGLD")),
    Fault("noise of mean 0.1 (one pass)", "numformats/core/langevin.py",
          "fused(deviate(word), sigma, mean)", "fused(F32(deviate(word) + F32(0.1)), sigma, mean)",
          _of("SGLD")),
    Fault("noise of mean 0.1 (composition)", "samplers/steps.py",
          "dtype=dtype, like=like))", "dtype=dtype, like=like) + 0.1)", _of("SGHMC, BAOAB")),
    Fault("variance for its root (one pass)", "numformats/langevin_tasks.py",
          "np.float32(math.sqrt(self.variance))", "np.float32(self.variance)", _of("SGLD")),
    Fault("variance for its root (composition)", "samplers/steps.py",
          "alpha=math.sqrt(variance)", "alpha=variance", _of("SGHMC, BAOAB")),
    Fault("prior twice (one pass)", "numformats/langevin_tasks.py",
          "np.float32(self.weight_decay)", "np.float32(2 * self.weight_decay)", (PRIOR,)),
    Fault("prior twice (composition)", "samplers/steps.py",
          "grad.add(theta, alpha=weight_decay)", "grad.add(theta, alpha=2 * weight_decay)",
          (PRIOR,)),
    Fault("general prior not divided by num_data", "samplers/optimizer.py",
          'slope(prior, theta) / group["num_data"]', "slope(prior, theta)",
          ("tests/samplers/test_priors.py",)),
    Fault("Laplace prior pushes outwards", "samplers/priors.py",
          "return torch.sign(theta)", "return -torch.sign(theta)",
          ("tests/samplers/test_priors.py",)),
    Fault("gradient rises", "samplers/steps.py",
          "theta.add(slope, alpha=-lr)", "theta.add(slope, alpha=lr)", (TOY,)),
]  # fmt: skip

STREAMS = [
    Fault("same noise for all parameters", "samplers/state.py",
          ".fold(chain).fold(index)", ".fold(chain)", (DISTINCT,)),
    Fault("same noise in all chains", "samplers/state.py",
          ".fold(chain).fold(index)", ".fold(index)", (DISTINCT,)),
    Fault("same noise in each step", "samplers/optimizer.py",
          '.fold(state["step"])', "", (DISTINCT,)),
    Fault("noise from the process's generator, as of one rank", "samplers/optimizer.py",
          'parameter_key(group["seed"]', "parameter_key(torch.initial_seed() % 2**63",
          (f"{CONDUCT}::test_equal_keys_give_equal_bits_whatever_the_global_generator",)),
    Fault("position and velocity share their noise", "numformats/underdamped_tasks.py",
          "VELOCITY_NOISE, VELOCITY = 3, 4", "VELOCITY_NOISE, VELOCITY = 1, 4", _of("SGHMC")),
    Fault("position and velocity share the bits of their draws", "numformats/underdamped_tasks.py",
          "VELOCITY_NOISE, VELOCITY = 3, 4", "VELOCITY_NOISE, VELOCITY = 3, 2", (JOINT,)),
]  # fmt: skip

ROUNDING = [
    Fault("nearest for stochastic (one pass)", "samplers/steps.py",
          "rounding=precision.rounding", 'rounding="nearest_even"', (TOY,)),
    Fault("nearest for stochastic (composition)", "samplers/steps.py",
          "nf.quantize(x, target, rounding,", 'nf.quantize(x, target, "nearest_even",',
          (f"{STATIONARY}[pSGLD-low]", f"{TOY}::test_both_forms_of_a_step_follow_the_exact_chain")),
    Fault("correction's top-up dropped", "numformats/core/draw.py",
          "F32(variance - forced_part(part))", "F32(variance - variance)", (TOY,)),
    Fault("correction's threshold a quarter", "numformats/core/draw.py",
          "field_above(variance) + W32(1024)", "field_above(variance) + W32(1026)", (TOY, JOINT)),
    Fault("range one step short", "numformats/draw_grids.py",
          "np.float64(largest), np.float64(-smallest)",
          "np.float64(largest - float(fmt.smallest)), np.float64(-smallest)",
          (f"{CONDUCT}::test_weights_reach_both_ends_of_the_range",)),
    Fault("gradient not rounded", "samplers/steps.py",
          "if precision.gradient is None:", "if True:",
          ("tests/samplers/test_psgld.py",)),
    Fault("weights of a full accumulator not rounded", "samplers/steps.py",
          "return Draw(theta, seen, saturated", "return Draw(theta, theta, saturated",
          ("tests/samplers/test_precision.py",)),
    Fault("full accumulator kept rounded", "samplers/sghmc_steps.py",
          "return Draw(theta, seen, saturated", "return Draw(seen, seen, saturated",
          (ON_GRID, ONE_PASS)),
    Fault("deficits not counted", "samplers/steps.py",
          "counts.deficit, counts.saturated", "0, counts.saturated",
          ("tests/test_langevin.py", "tests/samplers/test_precision.py")),
]  # fmt: skip

DYNAMICS = [
    Fault("papers' sign in the position (one pass)", "numformats/underdamped_tasks.py",
          "-m.kick_v, -m.kick_x,", "-m.kick_v, m.kick_x,", _of("SGHMC")),
    Fault("papers' sign in the position (composition)", "samplers/sghmc_steps.py",
          "alpha=-m.kick_x", "alpha=m.kick_x", (ONE_PASS,)),
    Fault("covariance lost in the corrected draw (one pass)", "numformats/core/underdamped.py",
          "actual > F32(0.0), F32", "actual < F32(0.0), F32", _of("SGHMC", "variance_corrected")),
    Fault("covariance lost in the corrected draw (composition)", "samplers/sghmc_steps.py",
          "torch.where(actual > 0, m.cov / actual, 0.0)", "torch.zeros_like(actual)", (ONE_PASS,)),
    Fault("covariance lost in the noise (one pass)", "numformats/underdamped_tasks.py",
          "m.cov / std_x if noisy", "0.0 if noisy", _of("SGHMC")),
    Fault("covariance lost in the noise (composition)", "samplers/sghmc_steps.py",
          "alpha=m.cov / std_x", "alpha=0.0", (ONE_PASS,)),
    Fault("velocity's whole variance beside the covariance (one pass)",
          "numformats/core/underdamped.py",
          "fused(share, rest, var_v)", "fused(share, F32(0.0), var_v)",
          _of("SGHMC", "variance_corrected")),
    Fault("velocity's whole variance beside the covariance (composition)",
          "samplers/sghmc_steps.py",
          "m.var_v, alpha=m.cov)", "m.var_v, alpha=0.0)", (ONE_PASS,)),
    Fault("velocity's scale not undone (one pass)", "numformats/core/underdamped.py",
          "return F32(x * scale)", "return F32(x)", (SGHMC,)),
    Fault("share of the asked for variance", "samplers/sghmc_steps.py",
          "actual = forced_variance(mean_x, m.var_x, fmt)", "actual = torch.zeros_like(mean_x)",
          (SGHMC,)),
    Fault("velocity decays twice", "samplers/underdamped.py",
          "decay=math.exp(-h)", "decay=math.exp(-2 * h)", _of("SGHMC")),
    Fault("position's variance of leading order", "samplers/underdamped.py",
          "friction**2 * _spread(h)", "friction**2 * (2 * h**3 / 3)",
          ("tests/samplers/test_linear.py",)),
    Fault("friction missing in the noise (1 - β)", "samplers/sghmc_steps.py",
          "2 * d.friction * d.inverse_mass", "2 * d.inverse_mass", _of("SGHMC, Euler")),
    Fault("inverse mass missing in the noise", "samplers/sghmc_steps.py",
          "noise = d.inverse_mass * d.heat * -math", "noise = d.heat * -math",
          ("tests/samplers/test_linear.py", *_of("SGHMC, BAOAB"))),
    Fault("half a kick", "samplers/sghmc_steps.py",
          "kicked = velocity.add(slope, alpha=-d.lr",
          "kicked = velocity.add(slope, alpha=-d.lr / 2",
          _of("SGHMC, BAOAB")),
    Fault("velocity's scale not undone (composition)", "samplers/velocity.py",
          "Velocity(_times(drawn, scale), scale", "Velocity(drawn, scale", (ONE_PASS,)),
    Fault("velocity not rounded", "samplers/velocity.py",
          "quantize(parts, precision.weight, precision.rounding, key)", "parts", (ONE_PASS,)),
    Fault("preconditioner squared in the noise", "samplers/psgld.py",
          "variance = steps * (2", "variance = steps * steps / lr * (2", _of("pSGLD")),
    Fault("damping under the root", "samplers/psgld.py",
          'lr / (group["damping"] + square.sqrt())', 'lr / (group["damping"] + square).sqrt()',
          _of("pSGLD")),
]  # fmt: skip

STATE = [
    Fault("gradient changed by the step", "samplers/steps.py",
          "found = grad.to(theta.dtype)", "found = grad.to(theta.dtype).mul_(1.0001)",
          (f"{CONDUCT}::test_gradients_frozen_parameters_and_empty_ones_are_left_alone",)),
    Fault("random stream not restored", "samplers/optimizer.py",
          'STATIC = ("prior", "precision")', 'STATIC = ("prior", "precision", "seed")', (RESUME,)),
    Fault("accumulator cast on loading", "samplers/optimizer.py",
          "if isinstance(value, torch.Tensor):  # the base", "if False:  # the base", (RESUME,)),
    Fault("state shared on loading", "samplers/optimizer.py",
          "entry.param.device, copy=True)", "entry.param.device)", (RESUME,)),
    Fault("gradients that are not finite taken", "samplers/checks.py",
          "    if bad:\n", "    if bad < 0:\n", ("tests/samplers/test_refusals.py",)),
    Fault("gradients of infinite squares taken", "samplers/checks.py",
          "    if beyond > 0:\n", "    if beyond < 0:\n", ("tests/samplers/test_psgld.py",)),
    Fault("step size of the next step", "samplers/cycles.py",
          "math.cos(math.pi * self.position", "math.cos(math.pi * (self.position + 1)", (CYCLES,)),
    Fault("sampling begins one step late", "samplers/cycles.py",
          "position / length >= exploration", "position / length > exploration", (CYCLES,)),
    Fault("noise while exploring", "samplers/cycles.py",
          "temperature if self.sampling else 0.0", "temperature", (CYCLES, CONDUCT)),
    Fault("logits averaged", "samplers/averaging.py",
          "torch.logaddexp(self._total, log_p)", "self._total + log_p",
          ("tests/samplers/test_predictive.py",)),
]  # fmt: skip

FAULTS = SCALES + STREAMS + ROUNDING + DYNAMICS + STATE
