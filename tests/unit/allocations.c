/* allocations.c: counts what the calling thread allocates
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "allocations.h"

#include <stdlib.h>

static __thread size_t n_allocations;

size_t
allocations_get (void)
{
  return n_allocations;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
/* The sanitizers have allocators of their own, which tell whoever asks.  GCC brings the
 * function without its header. */
int __sanitizer_install_malloc_and_free_hooks (void (*on_malloc) (const volatile void *memory,
                                                                  size_t size),
                                               void (*on_free) (const volatile void *memory));

static void
on_malloc (const volatile void *memory,
           size_t               size)
{
  n_allocations++;
}

static void
on_free (const volatile void *memory)
{
}

__attribute__ ((constructor)) static void
install_hooks (void)
{
  __sanitizer_install_malloc_and_free_hooks (on_malloc, on_free);
}
#else
void *__libc_malloc   (size_t  size);
void *__libc_calloc   (size_t  n,
                       size_t  size);
void *__libc_realloc  (void   *memory,
                       size_t  size);
void *__libc_memalign (size_t  alignment,
                       size_t  size);

void *
malloc (size_t size)
{
  n_allocations++;
  return __libc_malloc (size);
}

void *
calloc (size_t n,
        size_t size)
{
  n_allocations++;
  return __libc_calloc (n, size);
}

void *
realloc (void   *memory,
         size_t  size)
{
  n_allocations++;
  return __libc_realloc (memory, size);
}

void *
aligned_alloc (size_t alignment,
               size_t size)
{
  n_allocations++;
  return __libc_memalign (alignment, size);
}
#endif
