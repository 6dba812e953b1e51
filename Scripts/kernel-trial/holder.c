// Holds memory in a guest of kernel-trial.py, prints "held N" and sleeps until it is ended.
//
//   holder locked MIB          of so much memory every 8th page of 4 KiB, locked; the rest was touched and given up
//   holder pool COUNT EVERY    of COUNT pool pages of 2 MiB the first one in each EVERY MiB of physical memory
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const size_t base = 4096, huge = 2 << 20;

static char *area(size_t bytes, int flags) {
  char *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  if (start == MAP_FAILED) {
    perror("mmap");
    exit(1);
  }
  return start;
}

static size_t hold_locked(size_t mib) {
  size_t bytes = mib << 20, held = 0;
  char *start = area(bytes, 0);
  madvise(start, bytes, MADV_NOHUGEPAGE);
  for (size_t at = 0; at < bytes; at += base) start[at] = 1;
  for (size_t at = 0; at + 8 * base <= bytes; at += 8 * base, held++) madvise(start + base + at, 7 * base, MADV_DONTNEED);
  if (mlock2(start, bytes, MLOCK_ONFAULT) != 0) perror("mlock2");
  return held;
}

// Frame numbers need root, and the page to be there.
static uint64_t physical(int pagemap, char *at) {
  uint64_t entry = 0;
  if (pread(pagemap, &entry, 8, (uintptr_t)at / base * 8) != 8) return 0;
  return (entry & ((1ULL << 55) - 1)) * base;
}

static size_t hold_pool(size_t count, size_t every) {
  static char seen[1 << 16];
  int pagemap = open("/proc/self/pagemap", O_RDONLY);
  char *start = area(count * huge, MAP_HUGETLB);
  size_t held = 0;
  for (size_t i = 0; i < count; i++) start[i * huge] = 1;
  for (size_t i = 0; i < count; i++) {
    uint64_t range = physical(pagemap, start + i * huge) / (every << 20);
    if (range < sizeof seen && !seen[range]) {
      seen[range] = 1;
      held++;
    } else {
      munmap(start + i * huge, huge);
    }
  }
  return held;
}

int main(int argc, char **argv) {
  size_t held = 0;
  if (argc == 3 && !strcmp(argv[1], "locked")) held = hold_locked(strtoul(argv[2], NULL, 10));
  else if (argc == 4 && !strcmp(argv[1], "pool")) held = hold_pool(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
  else return 64;
  printf("held %zu\n", held);
  fflush(stdout);
  for (;;) pause();
}
