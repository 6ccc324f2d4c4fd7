#pragma once

/// Asked anew for each SIMD target that Highway compiles for, so a macro: whether vectors have halves and can
/// stand in arrays. A scalar has no halves, and a vector whose length only the running processor knows no
/// place in an array.
#define DUET_FIXED_VECTORS (HWY_TARGET != HWY_SCALAR && !HWY_HAVE_SCALABLE)
