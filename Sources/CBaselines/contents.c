#include "CBaselines.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static void clear_libc(void *target, size_t bytes) { memset(target, 0, bytes); }
static void copy_libc(void *target, const void *source, size_t bytes) { memcpy(target, source, bytes); }

#if defined(__x86_64__)

static void clear_rep(void *target, size_t bytes) {
  __asm__ volatile("rep stosb" : "+D"(target), "+c"(bytes) : "a"(0) : "memory");
}

static void copy_rep(void *target, const void *source, size_t bytes) {
  __asm__ volatile("rep movsb" : "+D"(target), "+S"(source), "+c"(bytes)::"memory");
}

// The loops are wide enough to fill a line, or four, in each turn; `bytes` is a multiple of 256 and `target` aligned to it.

__attribute__((target("sse2"))) static void clear_stream(void *target, size_t bytes) {
  __m128i zero = _mm_setzero_si128();
  for (char *place = target, *end = place + bytes; place != end; place += 64) {
    _mm_stream_si128((__m128i *)place, zero);
    _mm_stream_si128((__m128i *)place + 1, zero);
    _mm_stream_si128((__m128i *)place + 2, zero);
    _mm_stream_si128((__m128i *)place + 3, zero);
  }
  _mm_sfence();
}

__attribute__((target("avx2"))) static void clear_avx2(void *target, size_t bytes) {
  __m256i zero = _mm256_setzero_si256();
  for (char *place = target, *end = place + bytes; place != end; place += 128) {
    _mm256_store_si256((__m256i *)place, zero);
    _mm256_store_si256((__m256i *)place + 1, zero);
    _mm256_store_si256((__m256i *)place + 2, zero);
    _mm256_store_si256((__m256i *)place + 3, zero);
  }
}

__attribute__((target("avx512f"))) static void clear_avx512(void *target, size_t bytes) {
  __m512i zero = _mm512_setzero_si512();
  for (char *place = target, *end = place + bytes; place != end; place += 256) {
    _mm512_store_si512((__m512i *)place, zero);
    _mm512_store_si512((__m512i *)place + 1, zero);
    _mm512_store_si512((__m512i *)place + 2, zero);
    _mm512_store_si512((__m512i *)place + 3, zero);
  }
}

__attribute__((target("avx512f"))) static void clear_stream512(void *target, size_t bytes) {
  __m512i zero = _mm512_setzero_si512();
  for (char *place = target, *end = place + bytes; place != end; place += 256) {
    _mm512_stream_si512((__m512i *)place, zero);
    _mm512_stream_si512((__m512i *)place + 1, zero);
    _mm512_stream_si512((__m512i *)place + 2, zero);
    _mm512_stream_si512((__m512i *)place + 3, zero);
  }
  _mm_sfence();
}

__attribute__((target("sse2"))) static void copy_stream(void *target, const void *source, size_t bytes) {
  const __m128i *from = source;
  for (__m128i *place = target, *end = place + bytes / 16; place != end; place += 4, from += 4) {
    __m128i first = _mm_load_si128(from), second = _mm_load_si128(from + 1);
    __m128i third = _mm_load_si128(from + 2), fourth = _mm_load_si128(from + 3);
    _mm_stream_si128(place, first);
    _mm_stream_si128(place + 1, second);
    _mm_stream_si128(place + 2, third);
    _mm_stream_si128(place + 3, fourth);
  }
  _mm_sfence();
}

__attribute__((target("avx2"))) static void copy_avx2(void *target, const void *source, size_t bytes) {
  const __m256i *from = source;
  for (__m256i *place = target, *end = place + bytes / 32; place != end; place += 4, from += 4) {
    __m256i first = _mm256_load_si256(from), second = _mm256_load_si256(from + 1);
    __m256i third = _mm256_load_si256(from + 2), fourth = _mm256_load_si256(from + 3);
    _mm256_store_si256(place, first);
    _mm256_store_si256(place + 1, second);
    _mm256_store_si256(place + 2, third);
    _mm256_store_si256(place + 3, fourth);
  }
}

__attribute__((target("avx512f"))) static void copy_avx512(void *target, const void *source, size_t bytes) {
  const __m512i *from = source;
  for (__m512i *place = target, *end = place + bytes / 64; place != end; place += 4, from += 4) {
    __m512i first = _mm512_load_si512(from), second = _mm512_load_si512(from + 1);
    __m512i third = _mm512_load_si512(from + 2), fourth = _mm512_load_si512(from + 3);
    _mm512_store_si512(place, first);
    _mm512_store_si512(place + 1, second);
    _mm512_store_si512(place + 2, third);
    _mm512_store_si512(place + 3, fourth);
  }
}

__attribute__((target("avx512f"))) static void copy_stream512(void *target, const void *source, size_t bytes) {
  const __m512i *from = source;
  for (__m512i *place = target, *end = place + bytes / 64; place != end; place += 4, from += 4) {
    __m512i first = _mm512_load_si512(from), second = _mm512_load_si512(from + 1);
    __m512i third = _mm512_load_si512(from + 2), fourth = _mm512_load_si512(from + 3);
    _mm512_stream_si512(place, first);
    _mm512_stream_si512(place + 1, second);
    _mm512_stream_si512(place + 2, third);
    _mm512_stream_si512(place + 3, fourth);
  }
  _mm_sfence();
}

static int has_avx2(void) { return __builtin_cpu_supports("avx2"); }
static int has_avx512(void) { return __builtin_cpu_supports("avx512f"); }

#endif

static const struct {
  const char *name;
  void (*clear)(void *, size_t);
  void (*copy)(void *, const void *, size_t);
  int (*can_run)(void); // NULL where every processor can
} movers[] = {
    {"libc", clear_libc, copy_libc, NULL},
#if defined(__x86_64__)
    {"rep", clear_rep, copy_rep, NULL},
    {"stream", clear_stream, copy_stream, NULL},
    {"avx2", clear_avx2, copy_avx2, has_avx2},
    {"avx512", clear_avx512, copy_avx512, has_avx512},
    {"stream512", clear_stream512, copy_stream512, has_avx512},
#endif
};

unsigned megalith_mover_count(void) { return sizeof movers / sizeof movers[0]; }

const char *megalith_mover_name(unsigned mover) {
  return movers[mover].can_run && !movers[mover].can_run() ? NULL : movers[mover].name;
}

void megalith_mover_clear(unsigned mover, void *target, size_t bytes) { movers[mover].clear(target, bytes); }

void megalith_mover_copy(unsigned mover, void *target, const void *source, size_t bytes) {
  movers[mover].copy(target, source, bytes);
}

void megalith_c_gather(void *target, const void *const *pages, size_t count, size_t bytes) {
  for (size_t index = 0; index < count; index++) memcpy((char *)target + index * bytes, pages[index], bytes);
}
