#include "waiter.hpp"

#include <chrono>
#include <random>
#include <stdexcept>
#include <thread>

#include "processes.hpp"

namespace sapbuf::bench {
namespace {

using namespace std::chrono_literals;

// The same clock in all processes.
std::uint64_t now_ns() noexcept {
  const std::chrono::nanoseconds now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(now.count());
}

std::chrono::microseconds some_while() {
  static std::minstd_rand chance;
  return std::chrono::microseconds{std::uniform_int_distribution{50'000, 100'000}(chance)};
}

}  // namespace

double ms_until_it_goes_on(Crew& crew, const std::function<void(const std::function<void()>& begin)>& wait,
                           const std::function<void()>& strike) {
  const Pipe results;
  crew.add(start(1, results, [&] {
    wait([&] { results.send(kReady); });
    results.send(now_ns());
  }));
  if (results.receive() != kReady) throw std::runtime_error("a process did not begin");
  std::this_thread::sleep_for(some_while());
  const std::uint64_t struck = now_ns();
  strike();
  const std::uint64_t went_on = results.receive();
  if (went_on == kFailed || went_on < struck)
    throw std::runtime_error("a process did not wait for another one's death");
  return static_cast<double>(went_on - struck) / 1e6;
}

void measure_recoveries(Report& report, const std::string& scenario, const std::string& title,
                        double (*recovery_ms)(const std::string& watchdog_program)) {
  std::vector<Column> columns{{"without watchdog", [=] { return recovery_ms({}); }}};
  if (!report.options().watchdog.empty()) {
    columns.push_back({"with watchdog", [=, program = report.options().watchdog] { return recovery_ms(program); }});
  }
  report.measure({scenario, title, "ms", std::move(columns)}, report.options().quick ? 3 : 100);
}

}  // namespace sapbuf::bench
