#define _GNU_SOURCE
#include "host_arena.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int host_memory_file(const char *label, uint64_t length) {
  int file = memfd_create(label, MFD_CLOEXEC);
  if (file < 0) return -errno;
  if (ftruncate(file, (off_t)length) == 0) return file;
  int error = errno;
  close(file);
  return -error;
}

int host_punch(int file, uint64_t start, uint64_t length) {
  int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  return fallocate(file, mode, (off_t)start, (off_t)length) == 0 ? 0 : errno;
}

void host_touch(void *start, size_t length, size_t step) {
  for (size_t place = 0; place < length; place += step)
    __atomic_fetch_or((unsigned char *)start + place, 0, __ATOMIC_RELAXED);
}

int host_bind(void *start, size_t length, unsigned node) {
  enum { bind_strictly = 2, word_bits = sizeof(unsigned long) * CHAR_BIT, nodes = 1024 };
  unsigned long mask[nodes / word_bits] = {0};
  if (node >= nodes) return EINVAL;
  mask[node / word_bits] = 1ul << node % word_bits;
  // The kernel takes one bit less than it is told.
  return syscall(SYS_mbind, start, length, bind_strictly, mask, nodes + 1, 0) == 0 ? 0 : errno;
}
