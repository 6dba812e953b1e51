// What the allocator is measured against, and what the measuring needs of the host. All of our own.
#ifndef MEGALITH_C_BASELINES_H
#define MEGALITH_C_BASELINES_H

#include <stddef.h>
#include <stdint.h>

// Runs the calling thread on `cpu` only. Returns 0, or an error number.
int megalith_pin_thread(unsigned cpu);
// Registers for, and issues, a memory barrier on every thread of the process. Both return 0, or an error number.
int megalith_register_barrier(void);
int megalith_barrier(void);
// Zeroed memory that is resident only where it is touched, aligned to a page; NULL where there is none.
void *megalith_reserve(size_t bytes);
void megalith_unreserve(void *memory, size_t bytes);
// Nanoseconds of the monotonic clock.
uint64_t megalith_now(void);
// Processors that this process may run on.
unsigned megalith_processors(void);

// The two allocators. Both hand out frame numbers of blocks of one order at a time.
typedef enum { MEGALITH_LIFO, MEGALITH_BUDDY } megalith_kind;

// A bare list of free blocks a thread, linked through an array: what an allocator costs that does nothing else.
typedef struct megalith_lifo megalith_lifo;
// Lists of free blocks by order under one spin lock, merging buddies one by one.
typedef struct megalith_buddy megalith_buddy;

// A list that can hold any of the `blocks` blocks of `order` of a zone that starts at frame 0, and holds `count` of them from the
// block `first` on. NULL where memory is short.
megalith_lifo *megalith_lifo_make(uint64_t blocks, uint64_t first, uint64_t count, unsigned order);
void megalith_lifo_destroy(megalith_lifo *list);
// All frames of [0, frames) free. NULL where memory is short.
megalith_buddy *megalith_buddy_make(uint64_t frames);
void megalith_buddy_destroy(megalith_buddy *buddy);

// The workloads, on either allocator (`lifo` is the thread's own, `buddy` is shared). Blocks that do not come are UINT64_MAX.
void megalith_c_get(megalith_kind kind, void *allocator, unsigned order, uint64_t *blocks, size_t count);
void megalith_c_put(megalith_kind kind, void *allocator, unsigned order, const uint64_t *blocks, size_t count);
// Frees the block at each of `indices`, and allocates another into its place.
void megalith_c_churn(megalith_kind kind, void *allocator, unsigned order, uint64_t *blocks, const uint32_t *indices, size_t count);
// Allocates a block and frees it.
void megalith_c_pair(megalith_kind kind, void *allocator, unsigned order, size_t count);

// The start of the aligned range of `unit` frames that has the fewest of state 1 (movable) and none above (2, 4: in the way), by
// looking at every frame of every range; UINT64_MAX where there is none.
uint64_t megalith_c_scan(const uint64_t *states, uint64_t frames, uint64_t unit);

// Loops that clear and copy memory. Targets and sources are aligned to 256 bytes, sizes are multiples of it.
unsigned megalith_mover_count(void);
// The mover's name; NULL where this processor cannot run it.
const char *megalith_mover_name(unsigned mover);
void megalith_mover_clear(unsigned mover, void *target, size_t bytes);
void megalith_mover_copy(unsigned mover, void *target, const void *source, size_t bytes);

// Makes memory resident, in huge pages where the kernel has them.
void megalith_populate(void *memory, size_t bytes);
// Bytes of memory that can be used without pushing anything out.
uint64_t megalith_available(void);

// What stands for a descriptor: 32 bytes.
typedef struct megalith_descriptor {
  uint64_t counts, private_word;
  uint32_t maps, flags, shape, private_index;
} megalith_descriptor;

// Adds up the flags of `count` descriptors in a row.
uint64_t megalith_c_sum(const megalith_descriptor *first, size_t count);
// Records the addresses of `count` descriptors in a row.
void megalith_c_record(megalith_descriptor *first, size_t count, void **record);
// Records `count` numbers from `first` on.
void megalith_c_record_numbers(uint64_t first, size_t count, uint64_t *record);
// Both of these, eight words a turn by vectors that are spelled out: `count` words that count up from `first` by `step`. `count` is a
// multiple of eight.
void megalith_c_record_wide(uint64_t first, uint64_t step, size_t count, void *record);
// Writes each descriptor of a page of `count` frames: the head's counts and order, and in each tail where its head is.
void megalith_c_prepare(megalith_descriptor *head, size_t count);
// Makes all of them free again: each tail's head is forgotten.
void megalith_c_dissolve(megalith_descriptor *head, size_t count);
// Takes a reference and gives it back. True where none is left.
_Bool megalith_c_get_put(megalith_descriptor *descriptor);
// Writes the heads of `count` folios of `size` frames that a larger one becomes: what each field of the first one's head is, and where
// each lies within its owner.
void megalith_c_split(megalith_descriptor *head, size_t count, size_t size, megalith_descriptor first);
// Writes `count` descriptors, `step` apart, back to memory, and drops them from all caches; does nothing where the processor cannot.
void megalith_c_evict(const megalith_descriptor *first, size_t count, size_t step);
// Copies `count` pages of `bytes` bytes each from anywhere to one place after the other.
void megalith_c_gather(void *target, const void *const *pages, size_t count, size_t bytes);

#endif
