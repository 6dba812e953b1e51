#include "allocators.h"

#include <stdlib.h>

megalith_lifo *megalith_lifo_make(uint64_t blocks, uint64_t first, uint64_t count, unsigned order) {
  if (blocks >= NONE) return NULL;
  struct megalith_lifo *list = calloc(1, sizeof *list + blocks * sizeof list->next[0]);
  if (!list) return NULL;
  list->order = order;
  list->head = NONE;
  for (uint64_t block = first + count; block > first; block--) lifo_put(list, (block - 1) << order);
  return list;
}

void megalith_lifo_destroy(megalith_lifo *list) { free(list); }

megalith_buddy *megalith_buddy_make(uint64_t frames) {
  if (frames >= NONE) return NULL;
  struct megalith_buddy *buddy = calloc(1, sizeof *buddy + frames * sizeof buddy->links[0]);
  if (!buddy) return NULL;
  atomic_flag_clear(&buddy->lock);
  buddy->frames = frames;
  for (unsigned order = 0; order < BUDDY_ORDERS; order++) buddy->heads[order] = NONE;
  uint64_t frame = 0;
  while (frame < frames) {
    unsigned order = 0;
    while (order + 1 < 32 && frame % ((uint64_t)2 << order) == 0 && frame + ((uint64_t)2 << order) <= frames) order++;
    buddy_push(buddy, (uint32_t)frame, order);
    frame += (uint64_t)1 << order;
  }
  return buddy;
}

void megalith_buddy_destroy(megalith_buddy *buddy) { free(buddy); }
