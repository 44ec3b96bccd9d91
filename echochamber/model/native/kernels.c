/* One compilation unit; see library.py for how it is built and called. */
#include "muon.h"
