#include "scenarios.hpp"

namespace sapbuf::bench {

std::span<const Scenario> scenarios() {
  static const std::vector<Scenario> all{
      {"calls", "cost of a message to the one who writes it, in one process", measure_calls},
      {"c", "the same through the C interface, and walking over frames", measure_c_calls},
      {"one-to-one", "throughput, one producer process to one consumer process, beside the peers",
       [](Report& report) { measure_throughput(report, 1); }},
      {"two-to-one", "throughput, two producer processes to one consumer process, beside the peers",
       [](Report& report) { measure_throughput(report, 2); }},
      {"latency", "one way from process to process, spinning, beside a cache line's", measure_latency},
      {"waking", "from a write to a reader that slept, by its futex and by its descriptor", measure_waking},
      {"tails", "delivery at a fixed rate, and each reservation and commit under load, to the slowest", measure_tails},
      {"recovery", "from a holder's death to the next message of a writer that was blocked by it", measure_recovery},
      {"allocation", "8 participants x 256,000 allocations of 16 bytes: a lock, an atomic, sapbuf", measure_allocation},
      {"blocks", "fixed blocks from 1 to 4 producers to as many consumers, 1 or 42 a reservation", measure_blocks},
      {"messages", "throughput of messages from 8 B to 16 MiB", measure_message_sizes},
      {"producers", "throughput of 1 to 64 producers", measure_producers},
      {"readers", "throughput to 1 to 16 readers, each of which gets everything", measure_readers},
      {"slabs", "throughput with slabs of 64 KiB to 1 GiB, and with 2 to 16 of them", measure_slabs},
      {"registry", "cost of a message and of a sweep with 64 to 1,000 participants", measure_registries},
      {"upkeep", "attach and detach, flip, cleaning, recovery: a call each", measure_upkeep},
      {"pool-hits", "a buffer acquired and released, beside the pool's peers", measure_pool_hits},
      {"pool-any-size", "buffers of all sizes, as from a heap", measure_pool_any_size},
      {"pool-runs", "adjacent buffers at once, beside one buffer", measure_pool_runs},
      {"pool-hand-over", "a buffer acquired in one process and released in another", measure_pool_hand_over},
      {"pool-adopt", "a shared buffer adopted and released, beside a mask of holders", measure_pool_adopt},
      {"pool-at-once", "two processes that acquire and release, against one", measure_pool_at_once},
      {"pool-starving", "a buffer, when others have all that are free", measure_pool_starving},
      {"pool-death", "from a holder's death until its 100,000 buffers are free", measure_pool_death},
      {"pool-growth", "a user's longest pause while another one lets the pool grow", measure_pool_growth},
      {"pool-memory", "what a pool needs beside its buffers", measure_pool_memory},
      {"map-read", "a map's value read in place, beside the map's peers", measure_map_reading},
      {"map-keys", "the same of 1,000 to 1,000,000 keys, all as often, or some far more often", measure_map_keys},
      {"map-readers", "readings by 1 to 8 at once, beside none, one and two writers that never stop",
       measure_map_readers},
      {"map-write", "a map's value replaced, beside the peers", measure_map_writing},
      {"map-recovery", "from the death of a key's writer until another one has written it", measure_map_recovery},
      {"cells", "a cell's value loaded and stored, beside a lock and a seqlock", measure_cells},
      {"queue", "a queue's blocks handed over, beside the queue's peers", measure_queue},
      {"queue-mishaps", "the same beside a stopped producer, and a job that does not end", measure_queue_mishaps},
      {"redelivery", "from the death of a block's consumer until another one has it", measure_redelivery},
      {"idleness", "processor time of those who wait, and of the watchdog", measure_idleness},
      {"waste", "bytes of a slab that hold no message, for messages of 8 B to 300 KiB", measure_waste},
      {"memory", "size of a segment", measure_memory},
  };
  return all;
}

}  // namespace sapbuf::bench
