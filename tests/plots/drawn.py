"""Whether a figure can be drawn at all."""

import io

from matplotlib.figure import Figure


def rendered(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=40)
    return file.getvalue()
