"""The benchmark's tasks: names, dimensions, information, and samples that have that information."""

import numpy as np
import pytest
from scipy import integrate, stats

from benchmarks import tasks
from benchmarks.tasks import TASKS

# Of benchmark-mi 0.1.3: columns of x and y, and nats.
PUBLISHED = {
    "1v1-normal-0.75": (1, 1, 0.41333928659),
    "normal_cdf-1v1-normal-0.75": (1, 1, 0.41333928659),
    "1v1-additive-0.1": (1, 1, 1.70943791243),
    "1v1-additive-0.75": (1, 1, 0.33333333333),
    "1v1-bimodal-0.75": (1, 1, 0.41333928659),
    "wiggly-1v1-normal-0.75": (1, 1, 0.41333928659),
    "half_cube-1v1-normal-0.75": (1, 1, 0.41333928659),
    "student-identity-1-1-1": (1, 1, 0.22417142753),
    "asinh-student-identity-1-1-1": (1, 1, 0.22417142753),
    "swissroll_x-normal_cdf-1v1-normal-0.75": (2, 1, 0.41333928659),
    "multinormal-dense-2-2-0.5": (2, 2, 0.29389333245),
    "multinormal-dense-3-3-0.5": (3, 3, 0.41333928659),
    "multinormal-dense-5-5-0.5": (5, 5, 0.59281183283),
    "multinormal-dense-25-25-0.5": (25, 25, 1.29218372166),
    "multinormal-dense-50-50-0.5": (50, 50, 1.62426537430),
    "multinormal-sparse-2-2-2-2.0": (2, 2, 1.02165124753),
    "multinormal-sparse-3-3-2-2.0": (3, 3, 1.02165124753),
    "multinormal-sparse-5-5-2-2.0": (5, 5, 1.02165124753),
    "multinormal-sparse-25-25-2-2.0": (25, 25, 1.02165124753),
    "student-identity-2-2-1": (2, 2, 0.43194562200),
    "student-identity-2-2-2": (2, 2, 0.19314718056),
    "student-identity-3-3-2": (3, 3, 0.29092192268),
    "student-identity-3-3-3": (3, 3, 0.17871185309),
    "student-identity-5-5-2": (5, 5, 0.44815067692),
    "student-identity-5-5-3": (5, 5, 0.29854362265),
    "normal_cdf-multinormal-sparse-3-3-2-2.0": (3, 3, 1.02165124753),
    "normal_cdf-multinormal-sparse-5-5-2-2.0": (5, 5, 1.02165124753),
    "normal_cdf-multinormal-sparse-25-25-2-2.0": (25, 25, 1.02165124753),
    "half_cube-multinormal-sparse-3-3-2-2.0": (3, 3, 1.02165124753),
    "half_cube-multinormal-sparse-5-5-2-2.0": (5, 5, 1.02165124753),
    "half_cube-multinormal-sparse-25-25-2-2.0": (25, 25, 1.02165124753),
    "spiral-multinormal-sparse-3-3-2-2.0": (3, 3, 1.02165124753),
    "spiral-multinormal-sparse-5-5-2-2.0": (5, 5, 1.02165124753),
    "spiral-multinormal-sparse-25-25-2-2.0": (25, 25, 1.02165124753),
    "spiral-normal_cdf-multinormal-sparse-3-3-2-2.0": (3, 3, 1.02165124753),
    "spiral-normal_cdf-multinormal-sparse-5-5-2-2.0": (5, 5, 1.02165124753),
    "spiral-normal_cdf-multinormal-sparse-25-25-2-2.0": (25, 25, 1.02165124753),
    "asinh-student-identity-2-2-1": (2, 2, 0.43194562200),
    "asinh-student-identity-3-3-2": (3, 3, 0.29092192268),
    "asinh-student-identity-5-5-2": (5, 5, 0.44815067692),
}
N = 10_000


def drawn(name, n=N, seed=0):
    return TASKS[name].sample(np.random.default_rng(seed), n)


def test_the_forty_tasks_of_the_benchmark():
    assert list(TASKS) == list(PUBLISHED)
    for name, (dim_x, dim_y, nats) in PUBLISHED.items():
        task = TASKS[name]
        assert task[:3] == (name, dim_x, dim_y)
        assert task.mi_nats == pytest.approx(nats, abs=1e-10)


# Closed forms, beyond what the tasks use.


@pytest.mark.parametrize(("epsilon", "nats"), [(0.05, 2.352585), (0.25, 0.943147), (0.5, 0.5)])
def test_information_of_additive_noise(epsilon, nats):
    assert tasks.additive_noise_mi(epsilon) == pytest.approx(nats, abs=1e-6)


def test_information_of_additive_noise_by_quadrature():
    """h(Y) - h(noise); Y's density rises, stays and falls."""
    for epsilon in (0.1, 0.5, 0.75):

        def minus_p_log_p(y, epsilon=epsilon):
            p = density_of_sum(y, epsilon)
            return -p * np.log(p) if p > 0 else 0.0

        corners = [epsilon, 1 - epsilon]
        entropy, _ = integrate.quad(minus_p_log_p, -epsilon, 1 + epsilon, points=corners)
        assert tasks.additive_noise_mi(epsilon) == pytest.approx(entropy - np.log(2 * epsilon))


@pytest.mark.parametrize(
    ("df", "dim_x", "dim_y", "nats"),
    [(5, 1, 1, 0.017128), (1, 1, 1, 0.224171), (2, 2, 2, 0.193147)],
)
def test_information_of_student_t(df, dim_x, dim_y, nats):
    assert tasks.student_mi(df, dim_x, dim_y) == pytest.approx(nats, abs=1e-6)


@pytest.mark.parametrize(("df", "dim_x", "dim_y"), [(1, 1, 2), (3, 2, 5), (4, 3, 3)])
def test_information_of_student_t_by_scipys_entropies(df, dim_x, dim_y):
    def entropy(dim):
        return stats.multivariate_t(shape=np.eye(dim), df=df).entropy()

    expected = entropy(dim_x) + entropy(dim_y) - entropy(dim_x + dim_y)
    assert tasks.student_mi(df, dim_x, dim_y) == pytest.approx(expected)


@pytest.mark.parametrize(("rho", "nats"), [(0.1, 0.005025), (0.5, 0.143841), (0.75, 0.413339)])
def test_information_of_two_normal_variables(rho, nats):
    assert tasks.normal_mi(np.array([[1, rho], [rho, 1]]), 1) == pytest.approx(nats, abs=1e-6)


def test_information_does_not_depend_on_scale_or_rotation():
    covariance = tasks.dense_covariance(2)
    change = np.zeros((4, 4))
    change[:2, :2], change[2:, 2:] = [[3, 1], [0, 1e-3]], [[2, -1], [5, 7]]
    assert tasks.normal_mi(change @ covariance @ change.T, 2) == pytest.approx(0.293893, abs=1e-6)


# Samples.


@pytest.mark.parametrize("name", TASKS)
def test_samples_have_the_shapes_and_follow_the_generator(name):
    task = TASKS[name]
    x, y = drawn(name, 7)
    assert (x.shape, y.shape) == ((7, task.dim_x), (7, task.dim_y))
    assert (x.dtype, y.dtype) == (np.float64, np.float64)
    assert np.isfinite(x).all()
    assert np.isfinite(y).all()
    again, other = drawn(name, 7), drawn(name, 7, seed=1)
    np.testing.assert_array_equal(again[0], x)
    np.testing.assert_array_equal(again[1], y)
    assert not np.any(other[0] == x)


def test_mapped_tasks_leave_the_drawn_base_as_it_is():
    base, turned = "multinormal-sparse-3-3-2-2.0", "spiral-multinormal-sparse-3-3-2-2.0"
    x, y = drawn(base)
    turned_x, turned_y = drawn(turned)
    np.testing.assert_allclose(np.linalg.norm(turned_x, axis=1), np.linalg.norm(x, axis=1))
    np.testing.assert_array_equal(turned_x[:, 2], x[:, 2])
    np.testing.assert_array_equal(turned_y[:, 0], y[:, 0])
    assert np.abs(turned_x[:, :2] - x[:, :2]).mean() > 0.5


@pytest.mark.parametrize("name", [name for name in TASKS if name.startswith("multinormal")])
def test_covariance_of_normal_samples(name):
    dim = TASKS[name].dim_x
    expected = (tasks.dense_covariance if "dense" in name else tasks.sparse_covariance)(dim)
    # An entry's standard error is at most sqrt(2 / N); five of them leave room for 5000 entries.
    np.testing.assert_allclose(np.cov(np.hstack(drawn(name)).T), expected, atol=5 * (2 / N) ** 0.5)


def test_marginals_of_one_dimensional_tasks():
    def p_value(values, cdf):
        return stats.kstest(values[:, 0], cdf).pvalue

    def mixture(weight, first, second):
        return lambda x: weight * stats.norm.cdf(x - first) + (1 - weight) * stats.norm.cdf(x - second)

    x, y = drawn("1v1-bimodal-0.75")
    assert p_value(x, mixture(0.3, 0, 5)) > 1e-3
    assert p_value(y, mixture(0.5, -1, 3)) > 1e-3
    for values in drawn("normal_cdf-1v1-normal-0.75"):
        assert p_value(values, stats.uniform.cdf) > 1e-3
    for values in drawn("student-identity-1-1-1"):
        assert p_value(values, stats.cauchy.cdf) > 1e-3


def test_the_normal_cdf_is_accurate_in_both_tails():
    x = np.array([[-8.0, -5, -1, 0, 2, 8]])
    np.testing.assert_allclose(tasks.normal_cdf(x), stats.norm.cdf(x), rtol=1e-13)


def test_maps_at_some_points():
    """Worked out by hand; wiggly and bimodal ones as benchmark-mi 0.1.3 has them."""

    def check(values, expected):
        np.testing.assert_allclose(values, np.array(expected), rtol=1e-6, atol=1e-12)

    check(tasks.half_cube(np.array([[4.0, -9, 0]])), [[8, -27, 0]])
    roll = np.pi / 21 * np.array([[0, -1.5], [-3, 0], [0, 4.5]])
    check(tasks.swiss_roll(np.array([[0], [0.5], [1]])), roll)
    angle = (1 + 4 + 4) / 3
    turned = [np.cos(angle) + 2 * np.sin(angle), np.sin(angle) - 2 * np.cos(angle), 2]
    check(tasks.spiral(0, 1)(np.array([[1.0, -2, 2]])), [turned])
    z = np.array([-2, -0.5, 1])
    check(tasks.wiggly_x(z), [-2.50838456, -0.63650308, 1.44358505])
    check(tasks.wiggly_y(z), [-1.56000094, -0.35169992, 0.69436163])
    check(tasks.bimodal(0.3, 0, 5)(z), [-1.43366619, 2.78403434, 5.7499236])
    check(tasks.bimodal(0.5, -1, 3)(z), [-2.69014344, -0.70247189, 3.47524356])


@pytest.mark.parametrize(("wiggly", "slope"), [(tasks.wiggly_x, 0.161), (tasks.wiggly_y, 0.533)])
def test_wiggly_maps_increase(wiggly, slope):
    x = np.linspace(-20, 20, 400_001)
    assert (np.diff(wiggly(x)) >= slope * 1e-4 * (1 - 1e-6)).all()


def density_of_sum(y, epsilon):
    """Of a uniform variable on (0, 1) plus one on (-epsilon, epsilon)."""
    overlap = np.minimum(1, y + epsilon) - np.maximum(0, y - epsilon)
    return np.maximum(overlap, 0) / (2 * epsilon)


def inverse_by_table(function, low, high):
    """The inverse of an increasing function, to the square of a step of 1e-4."""
    table = np.linspace(low, high, round((high - low) * 1e4) + 1)
    return lambda values: np.interp(values, function(table), table)


def turned_back(x, i, j):
    """The coordinates i and j as a complex number, less the angle |x|^2 / dim."""
    z = (x[:, i] + 1j * x[:, j]) * np.exp(-1j * np.sum(x**2, axis=1) / x.shape[1])
    x = x.copy()
    x[:, i], x[:, j] = z.real, z.imag
    return x


def unmapped(name, x, y):
    """Samples of a task brought back to its base, and the base's name."""
    if name == "1v1-bimodal-0.75":
        x = stats.norm.ppf(0.3 * stats.norm.cdf(x) + 0.7 * stats.norm.cdf(x - 5))
        y = stats.norm.ppf(0.5 * stats.norm.cdf(y + 1) + 0.5 * stats.norm.cdf(y - 3))
        return "1v1-normal-0.75", x, y
    prefix, _, base = name.partition("-")
    inverses = {
        "swissroll_x": (lambda x: (np.linalg.norm(x, axis=1)[:, None] * 14 / np.pi - 1) / 2, None),
        "spiral": (lambda x: turned_back(x, 0, 1), lambda y: turned_back(y, 1, 2)),
        "normal_cdf": (stats.norm.ppf,) * 2,
        "half_cube": (lambda x: np.sign(x) * np.abs(x) ** (2 / 3),) * 2,
        "asinh": (np.sinh,) * 2,
        "wiggly": (
            inverse_by_table(tasks.wiggly_x, -8, 8),
            inverse_by_table(tasks.wiggly_y, -8, 8),
        ),
    }
    if prefix not in inverses:
        return name, x, y
    of_x, of_y = inverses[prefix]
    return unmapped(base, of_x(x), y if of_y is None else of_y(y))


def log_ratios(name, x, y):
    """ln p(x, y) / (p(x) p(y)) of each sample of a base, whose mean is the information."""
    if name.startswith("1v1-additive"):
        epsilon = float(name.split("-")[-1])
        assert (np.abs(x - y) <= epsilon).all()
        return -np.log(2 * epsilon * density_of_sum(y, epsilon))[:, 0]
    dim = x.shape[1]
    if name.startswith("student"):
        df = int(name.split("-")[-1])

        def density(dims):
            return stats.multivariate_t(shape=np.eye(dims), df=df)

        joint, marginals = density(2 * dim), [density(dim)] * 2
    else:
        if name == "1v1-normal-0.75":
            covariance = np.array([[1, 0.75], [0.75, 1]])
        else:
            covariance = (tasks.dense_covariance if "dense" in name else tasks.sparse_covariance)(dim)
        joint = stats.multivariate_normal(cov=covariance)
        marginals = [stats.multivariate_normal(cov=covariance[half, half])
                     for half in (slice(dim), slice(dim, None))]  # fmt: skip
    of_x, of_y = (p.logpdf(values).ravel() for p, values in zip(marginals, (x, y), strict=True))
    return joint.logpdf(np.hstack([x, y])).ravel() - of_x - of_y


@pytest.mark.parametrize("name", TASKS)
def test_samples_have_the_stated_information(name):
    """By undoing the maps: a wrong map, parameter or pairing of the samples would show."""
    ratios = log_ratios(*unmapped(name, *drawn(name)))
    error = ratios.std() / N**0.5
    assert error < 0.02
    assert ratios.mean() == pytest.approx(TASKS[name].mi_nats, abs=4 * error)


def test_samples_out_of_step_do_not_have_it():
    """What the test above would catch: another pairing, or another noise."""
    x, y = drawn("1v1-normal-0.75")
    assert log_ratios("1v1-normal-0.75", x, y[::-1]).mean() < 0
    assert log_ratios("1v1-normal-0.75", x, y + 0.3 * x[::-1]).mean() < 0.38
