/* Processes that are killed, and what they told before. */
#ifndef SAPBUF_TESTS_CAPI_PROCESS_H
#define SAPBUF_TESTS_CAPI_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A child that runs `run`, and what both see: numbers that only grow. */
struct child {
  pid_t pid;
  volatile uint64_t* told; /* a page of shared memory */
};

struct child start_child(void (*run)(volatile uint64_t* told));
/* In the child: from here on `told[0]` is `value`, whoever dies. */
void tell(volatile uint64_t* told, uint64_t value);
/* Waits, with patience, until the child has told `value` at the least. */
void wait_until_told(struct child child, uint64_t value);
/* SIGKILL, and until it is gone; returns what it told last. */
uint64_t kill_child(struct child* child);
/* Until it ended by itself, with exit status 0. */
void join_child(struct child* child);
/* Sleeps until it is killed. */
void sleep_for_ever(void);

#endif
