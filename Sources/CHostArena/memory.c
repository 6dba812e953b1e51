#define _GNU_SOURCE
#include "host_arena.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
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
