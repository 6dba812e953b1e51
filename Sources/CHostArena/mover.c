#include "host_arena.h"

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <emmintrin.h>

// Stores that bypass the caches: an ordinary store first reads the line that it overwrites, which halves what memory takes in.
// Measured by `megalith-bench contents`, next to the C library, `rep stosb` and `rep movsb`, and wider vectors: those of
// 16 bytes, which every x86_64 has, are as fast as wider ones, as lines leave whole in either case.

enum { LINE = 64, PAGE = 4096, PAGES = 4 };

static inline void stream_zeros(char *target) {
  const __m128i zero = _mm_setzero_si128();
  for (int part = 0; part < LINE; part += 16) _mm_stream_si128((__m128i *)(target + part), zero);
}

static inline void stream_line(char *target, const char *source) {
  const __m128i first = _mm_loadu_si128((const __m128i *)source);
  const __m128i second = _mm_loadu_si128((const __m128i *)(source + 16));
  const __m128i third = _mm_loadu_si128((const __m128i *)(source + 32));
  const __m128i fourth = _mm_loadu_si128((const __m128i *)(source + 48));
  _mm_stream_si128((__m128i *)target, first);
  _mm_stream_si128((__m128i *)(target + 16), second);
  _mm_stream_si128((__m128i *)(target + 32), third);
  _mm_stream_si128((__m128i *)(target + 48), fourth);
}

/// The bytes before the first whole line of `target`.
static inline size_t before_line(const void *target) { return -(uintptr_t)target & (LINE - 1); }

void host_clear(void *target, size_t bytes) {
  // What fits the nearest cache several times over is likely wanted there.
  if (bytes < HOST_STREAM_BYTES) {
    memset(target, 0, bytes);
    return;
  }
  const size_t head = before_line(target);
  memset(target, 0, head);
  char *place = (char *)target + head;
  char *const end = place + ((bytes - head) & ~(size_t)(LINE - 1));
#pragma clang loop unroll(disable) // memory is what it waits for
  for (; place != end; place += LINE) stream_zeros(place);
  // Such stores are not ordered with others; who is told that the bytes are zero must see them so.
  _mm_sfence();
  memset(end, 0, (bytes - head) & (LINE - 1));
}

void host_copy(void *target, const void *source, size_t bytes) {
  if (bytes < HOST_STREAM_BYTES) {
    memcpy(target, source, bytes);
    return;
  }
  const size_t head = before_line(target);
  memcpy(target, source, head);
  char *to = (char *)target + head;
  const char *from = (const char *)source + head;
  size_t left = bytes - head;
  // Several pages side by side keep as many read streams, and rows of memory, busy.
  for (; left >= PAGES * PAGE; left -= PAGES * PAGE, to += PAGES * PAGE, from += PAGES * PAGE)
#pragma clang loop unroll(disable)
    for (int line = 0; line < PAGE; line += 2 * LINE)
      for (int page = 0; page < PAGES * PAGE; page += PAGE) {
        stream_line(to + page + line, from + page + line);
        stream_line(to + page + line + LINE, from + page + line + LINE);
      }
#pragma clang loop unroll(disable)
  for (; left >= LINE; left -= LINE, to += LINE, from += LINE) stream_line(to, from);
  _mm_sfence();
  memcpy(to, from, left);
}

#else

void host_clear(void *target, size_t bytes) { memset(target, 0, bytes); }

void host_copy(void *target, const void *source, size_t bytes) { memcpy(target, source, bytes); }

#endif
