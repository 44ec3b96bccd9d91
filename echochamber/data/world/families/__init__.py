"""The families of stories, one small file each."""

from ..rows import Family
from .ages import AGES
from .collect import COLLECT
from .compare import COMPARE
from .discount import DISCOUNT
from .factory import FACTORY
from .farm import FARM
from .garden import GARDEN
from .lengths import LENGTHS
from .packing import PACKING
from .reading import READING
from .recipe import RECIPE
from .riders import RIDERS
from .savings import SAVINGS
from .school import SCHOOL
from .scores import SCORES
from .sharing import SHARING
from .shopping import SHOPPING
from .tank import TANK
from .travel import TRAVEL
from .wages import WAGES

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        COLLECT,
        SHOPPING,
        COMPARE,
        AGES,
        TRAVEL,
        WAGES,
        SHARING,
        TANK,
        RECIPE,
        PACKING,
        DISCOUNT,
        FARM,
        READING,
        RIDERS,
        GARDEN,
        SAVINGS,
        SCHOOL,
        LENGTHS,
        SCORES,
        FACTORY,
    )
}
"""Family name -> rows, in the order in which the world draws from them."""
