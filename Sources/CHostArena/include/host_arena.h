#pragma once

#include <stddef.h>
#include <stdint.h>

/// Makes a file that has no name and lives in memory, `length` bytes long and all of it holes. It is not passed on to
/// programs that the process starts. A descriptor, or a negative error number.
int host_memory_file(const char *label, uint64_t length);

/// Makes a part of a file a hole, which reads as zero and takes no memory. 0, or an error number.
int host_punch(int file, uint64_t start, uint64_t length);

/// Makes every page resident by an atomic write that changes nothing. `step` is the size of a page.
void host_touch(void *start, size_t length, size_t step);

/// Lets pages of a mapping that are not there yet come from one node only. 0, or an error number.
int host_bind(void *start, size_t length, unsigned node);

/// Asks the kernel for barriers on all processors that run this process. 0, or an error number.
int host_barrier_register(void);

/// Returns after each processor that runs a thread of this process has passed a full memory barrier.
/// 0, or an error number.
int host_barrier(void);

/// From this size on, bytes are stored past the caches where the processor can.
#define HOST_STREAM_BYTES (64 * 1024)

/// Makes `bytes` bytes zero, anywhere, any number.
void host_clear(void *target, size_t bytes);

/// Copies `bytes` bytes, any number, between places that do not overlap.
void host_copy(void *target, const void *source, size_t bytes);
