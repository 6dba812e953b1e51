#include "CBaselines.h"

// Looks at every frame of every candidate, and picks the one with the fewest frames to move.
uint64_t megalith_c_scan(const uint64_t *states, uint64_t frames, uint64_t unit) {
  uint64_t best = UINT64_MAX, fewest = UINT64_MAX;
  for (uint64_t start = 0; start + unit <= frames; start += unit) {
    uint64_t movable = 0, blocked = 0;
    for (uint64_t frame = start; frame < start + unit; frame++) {
      movable += states[frame] == 1;
      blocked |= states[frame] >> 1;
    }
    if (!blocked && movable < fewest) {
      fewest = movable;
      best = start;
    }
  }
  return best;
}
