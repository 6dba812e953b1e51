#define _GNU_SOURCE
#include "host_arena.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

static int command(int number) { return syscall(SYS_membarrier, number, 0, 0) == 0 ? 0 : errno; }

int host_barrier_register(void) { return command(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED); }

int host_barrier(void) { return command(MEMBARRIER_CMD_PRIVATE_EXPEDITED); }
