"""Maps of a sweep: where cells lie, what is hatched, which line is drawn, and what is refused."""

import numpy as np
import pytest
import xarray as xr

from ibjax.plots import plot_phase_diagram
from tests.plots.drawn import rendered

RATES, SCALES = (0.01, 0.1, 1.0), (0.5, 1.0, 2.0, 4.0)
AXES = {"x": "learning_rate", "y": "init_scale"}


def made_cells(**variables):
    """Cells of 4 initial scales and 3 learning rates, with two layers where there is a third axis."""
    dims = ("init_scale", "learning_rate", "layer")
    data = {name: (dims[: np.ndim(v)], np.asarray(v, float)) for name, v in variables.items()}
    coords = {"init_scale": list(SCALES), "learning_rate": list(RATES), "layer": [1, 2]}
    used = {d for dims, _ in data.values() for d in dims}
    return xr.Dataset(data, {d: v for d, v in coords.items() if d in used})


def mesh_of(ax):
    (mesh,) = (c for c in ax.collections if hasattr(c, "get_coordinates"))
    return mesh


class TestCells:
    def test_lie_at_their_settings_on_log_axes(self):
        values = np.arange(12).reshape(4, 3)
        ax = plot_phase_diagram(made_cells(bits=values), value="bits", **AXES).axes[0]
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
        mesh = mesh_of(ax)
        np.testing.assert_array_equal(mesh.get_array(), values)
        across, up = mesh.get_coordinates()[0, :, 0], mesh.get_coordinates()[:, 0, 1]
        # Edges lie half a step, in logarithms, from the settings.
        np.testing.assert_allclose(across, 10.0 ** np.array([-2.5, -1.5, -0.5, 0.5]))
        np.testing.assert_allclose(up, 2.0 ** np.array([-1.5, -0.5, 0.5, 1.5, 2.5]))
        np.testing.assert_allclose(ax.get_xlim(), across[[0, -1]])

    @pytest.mark.parametrize("dims", [("init_scale", "learning_rate"), ("learning_rate", "init_scale")])
    def test_do_not_depend_on_the_order_of_dims_or_settings(self, dims):
        values = np.arange(12.0).reshape(4, 3)
        cells = made_cells(bits=values).transpose(*dims).isel(learning_rate=[2, 0, 1])
        ax = plot_phase_diagram(cells, value="bits", **AXES).axes[0]
        np.testing.assert_array_equal(mesh_of(ax).get_array(), values)

    def test_have_a_panel_for_each_level_of_column(self):
        values = np.arange(24.0).reshape(4, 3, 2)
        figure = plot_phase_diagram(made_cells(bits=values), value="bits", column="layer", **AXES)
        panels = figure.axes[:2]
        assert [ax.get_title() for ax in panels] == ["layer 1", "layer 2"]
        for k, ax in enumerate(panels):
            np.testing.assert_array_equal(mesh_of(ax).get_array(), values[..., k])
            assert mesh_of(ax).get_clim() == (0, 23)  # one scale for all panels

    def test_show_means_over_the_seeds_that_are_known(self):
        values = np.ones((4, 3, 5))
        values[1, 2] = [np.nan, 1, 2, 3, np.nan]
        dims = ("init_scale", "learning_rate", "seed")
        cells = xr.Dataset(
            {"bits": (dims, values)}, {"init_scale": list(SCALES), "learning_rate": list(RATES)}
        )
        ax = plot_phase_diagram(cells, value="bits", **AXES).axes[0]
        assert mesh_of(ax).get_array()[1, 2] == 2

    def test_without_an_answer_are_hatched_and_named(self):
        values = np.arange(12.0).reshape(4, 3)
        values[0, 1] = np.nan
        figure = plot_phase_diagram(made_cells(bits=values), value="bits", **AXES)
        ax = figure.axes[0]
        assert mesh_of(ax).get_array().mask.sum() == 1
        assert ax.patch.get_hatch()  # seen where the map is masked
        assert [text.get_text() for text in figure.legends[0].get_texts()] == ["no answer"]
        assert rendered(figure).startswith(b"\x89PNG")

    def test_may_all_be_without_an_answer(self):
        cells = made_cells(bits=np.full((4, 3), np.nan))
        assert rendered(plot_phase_diagram(cells, value="bits", contour=None, **AXES))


class TestAxes:
    @pytest.mark.parametrize(
        ("settings", "scale"),
        [
            ([1, 2, 3, 4], "linear"),
            ([0, 1, 10], "linear"),  # 0 has no logarithm
            ([1, 3, 10, 30], "log"),
            ([0.5], "linear"),
            ([0.001, 0.1], "log"),
        ],
    )
    def test_have_the_scale_that_settings_are_spaced_on(self, settings, scale):
        cells = xr.Dataset(
            {"bits": (("a", "b"), np.ones((len(settings), 2)))}, {"a": settings, "b": [1, 2]}
        )
        ax = plot_phase_diagram(cells, x="a", y="b", value="bits").axes[0]
        assert ax.get_xscale() == scale

    def test_of_words_have_a_step_for_each(self):
        cells = xr.Dataset(
            {"bits": (("a", "b"), np.ones((3, 2)))}, {"a": ["32", "512", "full"], "b": [1, 2]}
        )
        figure = plot_phase_diagram(cells, x="a", y="b", value="bits", marks={"here": ("full", 2)})
        ax = figure.axes[0]
        assert [tick.get_text() for tick in ax.get_xticklabels()] == ["32", "512", "full"]
        (mark,) = ax.lines
        assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (2, 2)

    def test_have_labels_with_units(self):
        cells = made_cells(bits=np.ones((4, 3)))
        cells["bits"].attrs = {"long_name": "compression", "units": "bits"}
        cells["learning_rate"].attrs = {"long_name": "learning_rate", "units": "1"}
        panel, bar = plot_phase_diagram(cells, value="bits", title="made", **AXES).axes
        assert (panel.get_xlabel(), panel.get_ylabel()) == ("learning rate", "init scale")
        assert bar.get_ylabel() == "compression [bits]"


class TestColours:
    def test_have_0_in_the_middle_where_values_fall_below(self):
        ax = plot_phase_diagram(
            made_cells(bits=np.arange(12.0).reshape(4, 3) - 3), value="bits", **AXES
        ).axes[0]
        assert mesh_of(ax).get_clim() == (-8, 8)

    def test_are_not_spent_on_rounding_below_0(self):
        values = np.arange(12.0).reshape(4, 3)
        values[0, 0] = -0.01
        ax = plot_phase_diagram(made_cells(bits=values), value="bits", **AXES).axes[0]
        assert mesh_of(ax).get_clim() == (-0.01, 11)


class TestContour:
    def line(self, learnt):
        cells = made_cells(bits=np.ones((4, 3)), learnt=learnt)
        figure = plot_phase_diagram(cells, value="bits", contour="learnt", **AXES)
        (text,) = [t.get_text() for t in figure.legends[0].get_texts()]
        assert text == "learnt = 0.5"
        drawn = [c for c in figure.axes[0].collections if not hasattr(c, "get_coordinates")]
        return [v for c in drawn for p in c.get_paths() for v in p.vertices]

    def test_lies_between_the_cells_and_reaches_the_edges(self):
        learnt = np.tile([[0.0], [0.0], [1.0], [1.0]], (1, 3))
        line = np.array(self.line(learnt))
        # Halfway between the scales 1 and 2, as matplotlib interpolates.
        np.testing.assert_allclose(line[:, 1], 1.5)
        np.testing.assert_allclose([line[:, 0].min(), line[:, 0].max()], [10**-2.5, 10**0.5])

    @pytest.mark.parametrize("share", [0.0, 1.0, np.nan])
    def test_is_absent_where_all_cells_are_on_one_side(self, share):
        assert self.line(np.full((4, 3), share)) == []


class TestRefusals:
    cells = made_cells(bits=np.ones((4, 3, 2)), learnt=np.ones((4, 3)))

    def refused(self, match, **changed):
        options = {"value": "bits", "column": "layer", **AXES, **changed}
        with pytest.raises(ValueError, match=match):
            plot_phase_diagram(self.cells, **options)

    def test_of_missing_variables_name_them(self):
        self.refused(r"results: expected the variable nats \(learning_rate", value="nats")
        self.refused(r"results: expected the variable loss \(learning_rate", contour="loss")

    def test_of_missing_dims_name_them(self):
        self.refused(
            r"expected bits \(momentum, init_scale\), got bits \(init", x="momentum", column=None
        )
        self.refused(r"expected bits \(learning_rate, init_scale\), got bits", column=None)
        self.refused(r"expected learnt \(learning_rate, init_scale, layer\)", value="learnt")

    def test_of_the_same_dim_twice(self):
        self.refused("x, y, column: expected different dimensions", y="learning_rate")

    def test_of_marks_and_levels(self):
        self.refused("marks: expected pairs of x and y by text", marks={"here": (1.0,)})
        self.refused("contour_level: expected", contour="learnt", contour_level=np.nan)
        words = self.cells.assign_coords(init_scale=["a", "b", "c", "d"])
        with pytest.raises(ValueError, match="marks: expected one of a, b, c, d, got e"):
            plot_phase_diagram(words, value="bits", column="layer", marks={"here": (0.1, "e")}, **AXES)
