#pragma once

/// Asks the kernel for barriers on all processors that run this process. 0, or an error number.
int host_barrier_register(void);

/// Returns after each processor that runs a thread of this process has passed a full memory barrier.
/// 0, or an error number.
int host_barrier(void);
