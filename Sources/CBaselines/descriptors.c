#include "CBaselines.h"

#include <stdatomic.h>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

// Fields are read as the other side reads them: anyone may write them at any time.

uint64_t megalith_c_sum(const megalith_descriptor *first, size_t count) {
  uint64_t sum = 0;
  for (const megalith_descriptor *place = first, *end = first + count; place != end; place++)
    sum += atomic_load_explicit((const _Atomic uint32_t *)&place->flags, memory_order_relaxed);
  return sum;
}

void megalith_c_record(megalith_descriptor *first, size_t count, void **record) {
  for (size_t index = 0; index < count; index++) record[index] = first + index;
}

void megalith_c_record_numbers(uint64_t first, size_t count, uint64_t *record) {
  for (size_t index = 0; index < count; index++) record[index] = first + index;
}

typedef uint64_t words8 __attribute__((vector_size(64), aligned(8), may_alias));

void megalith_c_record_wide(uint64_t first, uint64_t step, size_t count, void *record) {
  words8 words = {0, 1, 2, 3, 4, 5, 6, 7};
  words = words * step + first;
  words8 *place = record;
  for (size_t index = 0; index < count; index += 8, words += step * 8) *place++ = words;
}

void megalith_c_prepare(megalith_descriptor *head, size_t count) {
  for (size_t index = 1; index < count; index++) {
    head[index].counts = 0;
    head[index].private_word = (uint64_t)(uintptr_t)head | 1;
    head[index].private_index = (uint32_t)index;
  }
  head->shape = (uint32_t)__builtin_ctzll(count);
  atomic_store_explicit((_Atomic uint64_t *)&head->counts, 1, memory_order_release);
}

void megalith_c_dissolve(megalith_descriptor *head, size_t count) {
  for (size_t index = 1; index < count; index++) head[index].private_word = 0;
  head->shape = 0;
  atomic_store_explicit((_Atomic uint64_t *)&head->counts, 0, memory_order_release);
}

_Bool megalith_c_get_put(megalith_descriptor *descriptor) {
  _Atomic uint64_t *counts = (_Atomic uint64_t *)&descriptor->counts;
  atomic_fetch_add_explicit(counts, 1, memory_order_relaxed);
  return atomic_fetch_sub_explicit(counts, 1, memory_order_acq_rel) == 1;
}

void megalith_c_split(megalith_descriptor *head, size_t count, size_t size, megalith_descriptor first) {
  megalith_descriptor *place = head;
  // Of its own: counted up in the structure it would be one store more a part.
  uint32_t own = first.private_index;
  for (size_t index = 0; index < count; index++, place += size, own += (uint32_t)size) {
    place->private_word = first.private_word;
    place->maps = first.maps;
    place->shape = first.shape;
    place->private_index = own;
    atomic_store_explicit((_Atomic uint64_t *)&place->counts, first.counts, memory_order_release);
  }
}

void megalith_c_evict(const megalith_descriptor *first, size_t count, size_t step) {
#if defined(__x86_64__)
  for (size_t index = 0; index < count; index++) _mm_clflush(first + index * step);
  _mm_mfence();
#else
  (void)first, (void)count, (void)step;
#endif
}
