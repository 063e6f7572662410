// A process that waits for what others have, and how long it goes on waiting when those die.
#pragma once

#include <functional>
#include <string>

#include "crew.hpp"
#include "report.hpp"

namespace sapbuf::bench {

// Milliseconds from `strike` until `wait` returns. `wait` runs in a process of its own, and calls `begin` when all that it
// needs is open; then it has waited for 50 to 100 ms, by chance, when `strike` is called: how long its naps are by then,
// and where in one of them it is, belongs to the figure. Throws if it fails, or went on before.
double ms_until_it_goes_on(Crew& crew, const std::function<void(const std::function<void()>& begin)>& wait,
                           const std::function<void()>& strike);

// Many of them, without a watchdog and with one: `recovery_ms` gets its program's path, or nothing.
void measure_recoveries(Report& report, const std::string& scenario, const std::string& title,
                        double (*recovery_ms)(const std::string& watchdog_program));

}  // namespace sapbuf::bench
