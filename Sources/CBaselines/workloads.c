#include "allocators.h"

void megalith_c_get(megalith_kind kind, void *allocator, unsigned order, uint64_t *blocks, size_t count) {
  if (kind == MEGALITH_LIFO)
    for (size_t index = 0; index < count; index++) blocks[index] = lifo_get(allocator);
  else
    for (size_t index = 0; index < count; index++) blocks[index] = buddy_get(allocator, order);
}

void megalith_c_put(megalith_kind kind, void *allocator, unsigned order, const uint64_t *blocks, size_t count) {
  if (kind == MEGALITH_LIFO)
    for (size_t index = 0; index < count; index++) lifo_put(allocator, blocks[index]);
  else
    for (size_t index = 0; index < count; index++) buddy_put(allocator, blocks[index], order);
}

void megalith_c_churn(
    megalith_kind kind, void *allocator, unsigned order, uint64_t *blocks, const uint32_t *indices, size_t count) {
  if (kind == MEGALITH_LIFO)
    for (size_t index = 0; index < count; index++) {
      lifo_put(allocator, blocks[indices[index]]);
      blocks[indices[index]] = lifo_get(allocator);
    }
  else
    for (size_t index = 0; index < count; index++) {
      buddy_put(allocator, blocks[indices[index]], order);
      blocks[indices[index]] = buddy_get(allocator, order);
    }
}

void megalith_c_pair(megalith_kind kind, void *allocator, unsigned order, size_t count) {
  // The barrier keeps the compiler from seeing that a pair changes nothing.
  if (kind == MEGALITH_LIFO)
    for (size_t index = 0; index < count; index++) {
      uint64_t block = lifo_get(allocator);
      __asm__ volatile("" : "+r"(block)::"memory");
      lifo_put(allocator, block);
    }
  else
    for (size_t index = 0; index < count; index++) {
      uint64_t block = buddy_get(allocator, order);
      __asm__ volatile("" : "+r"(block)::"memory");
      buddy_put(allocator, block, order);
    }
}
