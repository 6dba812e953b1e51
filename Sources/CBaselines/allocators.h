// The baselines' fast paths, inlined into the workloads.
#ifndef MEGALITH_ALLOCATORS_H
#define MEGALITH_ALLOCATORS_H

#include "CBaselines.h"

#include <stdatomic.h>

#define NONE UINT32_MAX

struct megalith_lifo {
  unsigned order;
  uint32_t head;
  uint32_t next[]; // by block
};

static inline uint64_t lifo_get(struct megalith_lifo *list) {
  uint32_t block = list->head;
  if (block == NONE) return UINT64_MAX;
  list->head = list->next[block];
  return (uint64_t)block << list->order;
}

static inline void lifo_put(struct megalith_lifo *list, uint64_t frame) {
  uint32_t block = (uint32_t)(frame >> list->order);
  list->next[block] = list->head;
  list->head = block;
}

#define BUDDY_ORDERS 40

struct megalith_buddy {
  atomic_flag lock; // guards everything below
  uint64_t frames;
  uint32_t heads[BUDDY_ORDERS];
  struct link {
    uint32_t next, previous;
    uint8_t order; // of the free block that starts here, plus one; 0 where none does
  } links[];       // by frame
};

static inline void buddy_push(struct megalith_buddy *buddy, uint32_t frame, unsigned order) {
  uint32_t head = buddy->heads[order];
  buddy->links[frame] = (struct link){head, NONE, (uint8_t)(order + 1)};
  if (head != NONE) buddy->links[head].previous = frame;
  buddy->heads[order] = frame;
}

static inline void buddy_remove(struct megalith_buddy *buddy, uint32_t frame, unsigned order) {
  struct link link = buddy->links[frame];
  if (link.previous == NONE) buddy->heads[order] = link.next;
  else buddy->links[link.previous].next = link.next;
  if (link.next != NONE) buddy->links[link.next].previous = link.previous;
  buddy->links[frame].order = 0;
}

static inline void buddy_lock(struct megalith_buddy *buddy) {
  while (atomic_flag_test_and_set_explicit(&buddy->lock, memory_order_acquire)) __builtin_ia32_pause();
}

static inline void buddy_unlock(struct megalith_buddy *buddy) {
  atomic_flag_clear_explicit(&buddy->lock, memory_order_release);
}

static inline uint64_t buddy_get(struct megalith_buddy *buddy, unsigned order) {
  buddy_lock(buddy);
  unsigned from = order;
  while (from < BUDDY_ORDERS && buddy->heads[from] == NONE) from++;
  uint64_t result = UINT64_MAX;
  if (from < BUDDY_ORDERS) {
    uint32_t frame = buddy->heads[from];
    buddy_remove(buddy, frame, from);
    while (from > order) {
      from--;
      buddy_push(buddy, frame + (1u << from), from);
    }
    result = frame;
  }
  buddy_unlock(buddy);
  return result;
}

static inline void buddy_put(struct megalith_buddy *buddy, uint64_t block, unsigned order) {
  uint32_t frame = (uint32_t)block;
  buddy_lock(buddy);
  while (order + 1 < BUDDY_ORDERS) {
    uint64_t other = frame ^ ((uint64_t)1 << order);
    if (other + ((uint64_t)1 << order) > buddy->frames || buddy->links[other].order != order + 1) break;
    buddy_remove(buddy, (uint32_t)other, order);
    if (other < frame) frame = (uint32_t)other;
    order++;
  }
  buddy_push(buddy, frame, order);
  buddy_unlock(buddy);
}

#endif
