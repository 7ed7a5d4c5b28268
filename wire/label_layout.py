"""How a label is printed, in millimetres from its upper left corner, x to the right, y down.

    +--------------------------------------+
    |  #######   ## #  .......             |
    |  #     #   # ##  .grey .   white     |
    |  # tag #   ####  .......             |
    |  #######                             |
    |  |'|'|'|'|'| ruler      text         |
    +--------------------------------------+

The marker is an AprilTag of the family 36h11; its number says which of the layouts below it is,
and with that how large it is. A new layout gets a new number; a number's layout never changes,
for labels lie in drawers for years.
"""

from dataclasses import dataclass
from typing import Final

TAGS: Final = (
    (
        "########",
        "#..#.#.#",
        "##...#.#",
        "##..####",
        "#.#.####",
        "##.#..##",
        "####.###",
        "########",
    ),
    (
        "########",
        "#..#..##",
        "##.#...#",
        "#....###",
        "##..####",
        "#.#..#.#",
        "###.##.#",
        "########",
    ),
)
"""The black square of each marker, cell by cell; around it one cell stays white."""


@dataclass(frozen=True)
class Box:
    """A square on a label: its upper left corner and its side."""

    x: float
    y: float
    side: float

    @property
    def middle(self) -> tuple[float, float]:
        return self.x + self.side / 2, self.y + self.side / 2


@dataclass(frozen=True)
class Layout:
    """One kind of label. ``tag``: its marker's number, ``marker`` that marker's black square.

    ``code``: the DataMatrix without its margin; ``grey``: the patch; ``white``: paper that
    nothing is printed on. ``text``: where the lines for people begin, ``type_mm`` the size of
    their type. ``ruler_mm``: how long the ruler is, from the marker's left edge at ``ruler_y``.
    """

    tag: int
    width: float
    height: float
    marker: Box
    code: Box
    grey: Box
    white: Box
    text: tuple[float, float]
    type_mm: float
    ruler_mm: int
    ruler_y: float


LARGE: Final = Layout(
    tag=0,
    width=63.5,
    height=38.1,
    marker=Box(5, 5, 20),
    code=Box(30, 5, 12),
    grey=Box(46, 5, 12),
    white=Box(59.5, 7, 3),
    text=(30, 20),
    type_mm=3.0,
    ruler_mm=50,
    ruler_y=33.5,
)
SMALL: Final = Layout(
    tag=1,
    width=38.1,
    height=21.2,
    marker=Box(3, 2.6, 12),
    code=Box(17.6, 2.6, 8),
    grey=Box(27.6, 2.6, 7),
    white=Box(35.2, 4.5, 2.2),
    text=(17.6, 11.6),
    type_mm=1.5,
    ruler_mm=30,
    ruler_y=19.2,
)
LAYOUTS: Final = (LARGE, SMALL)
