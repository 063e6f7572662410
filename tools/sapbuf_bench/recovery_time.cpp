#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <sapbuf/sapbuf.hpp>
#include <stdexcept>

#include "scenarios.hpp"

namespace sapbuf::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

pid_t start(const std::string& name, int ready, void (*code)(const std::string&, int)) {
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("cannot fork");
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  try {
    code(name, ready);
  } catch (const std::exception&) {
    ::_exit(1);
  }
  ::_exit(0);
}

void tell(int descriptor) {
  const char byte = 1;
  if (::write(descriptor, &byte, 1) != 1) ::_exit(1);
}

void hold(const std::string& name, int ready) {
  const Segment segment = Segment::open(name);
  Reader reader{segment, {.name = "holder"}};
  tell(ready);
  if (!reader.wait_for(10s)) ::_exit(1);
  const auto range = reader.pin();
  for (;;) ::pause();
}

// What the watchdog does, at its default interval but for the pidfd: the moment of the death is told by its parent's
// waitpid.
void watch(const std::string& name, int ready) {
  const Segment segment = Segment::open(name);
  tell(ready);
  for (;;) {
    recover(segment);
    ::usleep(1000);
  }
}

double recovery_ms(bool with_watchdog) {
  const std::string name = "bench.recovery." + std::to_string(::getpid());
  Segment::remove(name);
  const Segment segment = Segment::create(name, {.slab_bytes = 64 << 10});
  int ready[2];
  if (::pipe(ready) != 0) throw std::runtime_error("no pipe");
  char byte;
  const auto heard = [&] { return ::read(ready[0], &byte, 1) == 1; };
  const pid_t holder = start(name, ready[1], &hold);
  bool fine = heard();
  const pid_t watchdog = with_watchdog ? start(name, ready[1], &watch) : 0;
  if (with_watchdog) fine = heard() && fine;
  double milliseconds = 0;
  {
    const std::string line(1000, 'x');
    Writer filler{segment, {.timeout = 20ms}};
    while (filler.write(line) == Status::ok) {
    }
    filler.close();
    Writer writer{segment, {.timeout = 10s}};
    ::kill(holder, SIGKILL);
    const auto begin = Clock::now();
    fine = writer.write(line) == Status::ok && fine;
    milliseconds = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
  }
  ::waitpid(holder, nullptr, 0);
  if (watchdog > 0) {
    ::kill(watchdog, SIGKILL);
    ::waitpid(watchdog, nullptr, 0);
  }
  ::close(ready[0]);
  ::close(ready[1]);
  Segment::remove(name);
  if (!fine) throw std::runtime_error("the recovery run failed");
  return milliseconds;
}

}  // namespace

void measure_recovery(const Options& options) {
  std::vector<Column> columns{{"without watchdog", [] { return recovery_ms(false); }},
                              {"with watchdog", [] { return recovery_ms(true); }}};
  const std::string title = "SIGKILL of a slab's holder -> blocked writer goes on";
  run_rounds(title, columns, options.quick ? 3 : 30);
  show(title, "ms", columns, options);
}

}  // namespace sapbuf::bench
