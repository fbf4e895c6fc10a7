"""Makes the modules beside this one importable by the tests here: test folders are no packages."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
