// What sapbuf-bench can measure.
#pragma once

#include <span>

#include "report.hpp"

namespace sapbuf::bench {

struct Scenario {
  const char* name;
  const char* what;
  std::function<void(Report&)> run;
};
std::span<const Scenario> scenarios();

void measure_calls(Report& report);                           // calls.cpp
void measure_c_calls(Report& report);                         // c_calls.cpp
void measure_registries(Report& report);                      //
void measure_upkeep(Report& report);                          //
void measure_throughput(Report& report, unsigned producers);  // throughput.cpp
void measure_allocation(Report& report);                      // allocation.cpp
void measure_blocks(Report& report);                          // blocks.cpp
void measure_message_sizes(Report& report);                   // scaling.cpp
void measure_producers(Report& report);                       //
void measure_readers(Report& report);                         //
void measure_slabs(Report& report);                           //
void measure_latency(Report& report);                         // latency.cpp
void measure_tails(Report& report);                           //
void measure_waking(Report& report);                          // waking.cpp
void measure_recovery(Report& report);                        // recovery_time.cpp
void measure_pool_hits(Report& report);                       // pool_hit.cpp
void measure_pool_any_size(Report& report);                   // pool_hit.cpp
void measure_pool_runs(Report& report);                       // pool_runs.cpp
void measure_pool_hand_over(Report& report);                  // pool_hand_over.cpp
void measure_pool_adopt(Report& report);                      // pool_adopt.cpp
void measure_pool_at_once(Report& report);                    // pool_at_once.cpp
void measure_pool_starving(Report& report);                   // pool_mishaps.cpp
void measure_pool_death(Report& report);                      //
void measure_pool_growth(Report& report);                     // pool_growth.cpp
void measure_pool_memory(Report& report);                     //
void measure_map_reading(Report& report);                     // map.cpp
void measure_map_keys(Report& report);                        //
void measure_map_readers(Report& report);                     //
void measure_map_writing(Report& report);                     //
void measure_cells(Report& report);                           //
void measure_map_recovery(Report& report);                    // map_recovery.cpp
void measure_queue(Report& report);                           // queue.cpp
void measure_queue_mishaps(Report& report);                   // queue_mishaps.cpp
void measure_redelivery(Report& report);                      //
void measure_waste(Report& report);                           // waste.cpp
void measure_idleness(Report& report);                        // idleness.cpp
void measure_memory(Report& report);                          //

}  // namespace sapbuf::bench
