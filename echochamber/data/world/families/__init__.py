"""The families of stories, one small file each."""

from ..rows import Family
from .ages import AGES
from .collect import COLLECT
from .compare import COMPARE
from .sharing import SHARING
from .shopping import SHOPPING
from .tank import TANK
from .travel import TRAVEL
from .wages import WAGES

FAMILIES: dict[str, Family] = {
    family.name: family for family in (COLLECT, SHOPPING, COMPARE, AGES, TRAVEL, WAGES, SHARING, TANK)
}
"""Family name -> rows, in the order in which the world draws from them."""
