#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#define _POSIX_C_SOURCE 200809L

#include "process.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum { told_bytes = 4096, patience_ms = 60000 };

struct child start_child(void (*run)(volatile uint64_t* told)) {
  struct child child;
  void* const page = mmap(NULL, told_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(page != MAP_FAILED);
  child.told = page;
  child.pid = fork();
  CHECK(child.pid >= 0);
  if (child.pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody who keeps its output open */
    run(child.told);
    _exit(0);
  }
  return child;
}

void tell(volatile uint64_t* told, uint64_t value) { __atomic_store_n(told, value, __ATOMIC_RELEASE); }

void wait_until_told(struct child child, uint64_t value) {
  const struct timespec moment = {0, 1000000};
  int waited;
  for (waited = 0; __atomic_load_n(child.told, __ATOMIC_ACQUIRE) < value; ++waited) {
    CHECK(waited < patience_ms);
    CHECK(waitpid(child.pid, NULL, WNOHANG) == 0);
    nanosleep(&moment, NULL);
  }
}

uint64_t kill_child(struct child* child) {
  int status;
  uint64_t told;
  CHECK(kill(child->pid, SIGKILL) == 0);
  CHECK(waitpid(child->pid, &status, 0) == child->pid);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  told = __atomic_load_n(child->told, __ATOMIC_ACQUIRE);
  munmap((void*)(uintptr_t)child->told, told_bytes);
  return told;
}

void join_child(struct child* child) {
  int status;
  CHECK(waitpid(child->pid, &status, 0) == child->pid);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  munmap((void*)(uintptr_t)child->told, told_bytes);
}

void sleep_for_ever(void) {
  for (;;) pause();
}
