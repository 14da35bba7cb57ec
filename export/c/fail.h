/* How these programs give up: one line on standard error, exit code 1. */
#ifndef BIONER_FAIL_H_
#define BIONER_FAIL_H_

#include <stddef.h>

_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Memory, zeroed, or the end. */
void *allocate(size_t count, size_t size);

#endif
