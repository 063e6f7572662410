#include "goals.hpp"

#include <fmt/format.h>

#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "cache_line.hpp"

namespace sapbuf::bench {
namespace {

struct Place {
  const char* scenario;
  double at;
  const char* column;
};

struct Reached {
  double figure;
  std::string cores;  // as in Goal
};

class Goals {
 public:
  explicit Goals(const Report& report) : report_(report) {}

  // Figures that were taken in turn are divided round by round. Where the cores moved between the two, the round says
  // nothing; those with near and those with far cores are judged apart.
  std::vector<Reached> ratio(const Place& of, const Place& to) const {
    const Column* const upper = find(of);
    const Column* const lower = find(to);
    if (upper == nullptr || lower == nullptr) return {};
    if (upper->figures.size() != lower->figures.size()) return {{median(upper->figures) / median(lower->figures), {}}};
    std::vector<double> all;
    std::map<std::string, std::vector<double>> by_cores;
    for (std::size_t i = 0; i < upper->figures.size(); ++i) {
      all.push_back(upper->figures[i] / lower->figures[i]);
      if (upper->line_ns.empty() || lower->line_ns.empty()) continue;
      const std::string cores = distance(upper->line_ns[i]);
      if (cores == distance(lower->line_ns[i])) by_cores[cores].push_back(all.back());
    }
    if (by_cores.empty()) return {{median(all), upper->line_ns.empty() ? "" : "mixed"}};
    std::vector<Reached> reached;
    for (const auto& [cores, ratios] : by_cores) reached.push_back({median(ratios), cores});
    return reached;
  }

  std::vector<Reached> figure(const Place& of, double hundredths) const {
    const Column* const column = find(of);
    if (column == nullptr) return {};
    std::vector<double> figures = column->figures;
    return {{percentile(figures, hundredths), {}}};
  }

  void at_least(std::string what, double bound, std::vector<Reached> reached, std::string unit = {}) {
    add(std::move(what), true, bound, std::move(reached), std::move(unit));
  }
  void at_most(std::string what, double bound, std::vector<Reached> reached, std::string unit = {}) {
    add(std::move(what), false, bound, std::move(reached), std::move(unit));
  }

  std::vector<Goal> take() { return std::move(goals_); }

 private:
  const Column* find(const Place& place) const { return report_.find(place.scenario, place.at, place.column); }
  void add(const std::string& what, bool at_least, double bound, const std::vector<Reached>& reached,
           const std::string& unit) {
    for (const Reached& one : reached) goals_.push_back({what, at_least, bound, one.figure, unit, one.cores});
  }

  const Report& report_;
  std::vector<Goal> goals_;
};

constexpr const char* kPerWriter = "sapbuf per_writer";
constexpr const char* kBatch = "sapbuf per_writer batch 32";
constexpr const char* kTotal = "sapbuf total";
constexpr const char* kTotalBatch = "sapbuf total batch 32";
constexpr const char* kRing = "DPDK rte_ring";
constexpr const char* kRingBulk = "DPDK rte_ring bulk 32";

void add_goals_of_streams(Goals& goals) {
  const auto one = [](double bytes, const char* column) { return Place{"one-to-one", bytes, column}; };
  const auto two = [](double bytes, const char* column) { return Place{"two-to-one", bytes, column}; };
  const Place call{"calls", 16, kPerWriter};

  goals.at_most("producer, per_writer, 16 B: cost against a claim by fetch_add", 0.25,
                goals.ratio(call, {"calls", 16, "limit: fetch_add claim"}));
  goals.at_most("producer, per_writer, 16 B: cost against a bare local bump", 3,
                goals.ratio(call, {"calls", 16, "limit: bare bump"}));
  goals.at_least("one to one, 16 B, against rte_ring", 6, goals.ratio(one(16, kPerWriter), one(16, kRing)));
  goals.at_least("one to one, 16 B, against Boost message_queue", 10,
                 goals.ratio(one(16, kPerWriter), one(16, "Boost message_queue")));
  goals.at_least("one to one, 16 B, batches of 32, against rte_ring bulk 32", 1,
                 goals.ratio(one(16, kBatch), one(16, kRingBulk)));
  for (const double bytes : {64., 256., 1024., 4096.}) {
    goals.at_least(fmt::format("one to one, {} B, against rte_ring bulk 32", bytes), 1.8,
                   goals.ratio(one(bytes, kPerWriter), one(bytes, kRingBulk)));
  }
  for (const double bytes : {64., 256., 1024., 4096.}) {
    goals.at_least(fmt::format("one to one, {} B, against the limit", bytes), 0.95,
                   goals.ratio(one(bytes, kPerWriter), one(bytes, "limit")));
  }
  for (const double bytes : {16., 64., 256., 1024., 4096.}) {
    goals.at_least(fmt::format("one to one, {} B, batches of 32 against single messages", bytes), 1,
                   goals.ratio(one(bytes, kBatch), one(bytes, kPerWriter)));
  }
  for (const double bytes : {16., 64., 256., 1024., 4096.}) {
    goals.at_least(fmt::format("total order, {} B, batches of 32 against single messages", bytes), 1,
                   goals.ratio(one(bytes, kTotalBatch), one(bytes, kTotal)));
  }
  goals.at_least("two to one against one to one, per_writer, 16 B", 0.9,
                 goals.ratio(two(16, kPerWriter), two(16, "sapbuf per_writer, one producer")));
  goals.at_least("total order, one to one, 16 B, against rte_ring", 2, goals.ratio(one(16, kTotal), one(16, kRing)));
  goals.at_least("total order, two to one, 16 B, against rte_ring", 0.8, goals.ratio(two(16, kTotal), two(16, kRing)));
  goals.at_most("one way, spinning, p50, against a cache line's", 1.35,
                goals.ratio({"latency", 0, "sapbuf, p50"}, {"latency", 0, "cache line, p50"}));
  goals.at_most("one way, spinning, p99, against a cache line's p50", 3,
                goals.ratio({"latency", 0, "sapbuf, p99"}, {"latency", 0, "cache line, p50"}));
  goals.at_most("registry of 1,000 against 64: cost of a message", 1.05,
                goals.ratio({"registry", 0, "1000 participants"}, {"registry", 0, "64 participants"}));
  goals.at_most("registry of 1,000: sweep", 2, goals.figure({"sweep", 0, "1000 participants"}, 50), "ms");
  goals.at_most("death of a slab's holder -> slab usable, with watchdog, p99", 10,
                goals.figure({"recovery", 0, "with watchdog"}, 99), "ms");
  goals.at_most("death of a slab's holder -> slab usable, without watchdog, p99", 100,
                goals.figure({"recovery", 0, "without watchdog"}, 99), "ms");
  goals.at_most("memory of a segment with default options", 2.25, goals.figure({"memory", 0, "default"}, 50), "MiB");
  for (const std::string column : {kPerWriter, kBatch, kTotal, kTotalBatch}) {
    const std::string of = "waste of a slab, " + column.substr(std::strlen("sapbuf "));
    goals.at_most(of + ", sizes shown up to a sixteenth", 5, goals.figure({"waste-worst", 0, column.c_str()}, 100),
                  "%");
    goals.at_most(of + ", any size, beyond whole messages", 5, goals.figure({"waste-beyond", 0, column.c_str()}, 100),
                  "%");
  }
}

void add_goals_of_maps(Goals& goals) {
  // LMDB looks its key up each time; the seqlock's table is by the key's number, as entries are that were looked up once.
  goals.at_most("map: 64 B read by an entry that was looked up once, against LMDB", 0.1,
                goals.ratio({"map-read", 64, "sapbuf map"}, {"map-read", 64, "LMDB"}));
  goals.at_most("map: 64 B read by key, against LMDB", 0.1,
                goals.ratio({"map-read", 64, "sapbuf map, by key"}, {"map-read", 64, "LMDB"}));
  goals.at_most("map: 64 B read, against a seqlock", 1.5,
                goals.ratio({"map-read", 64, "sapbuf map"}, {"map-read", 64, "seqlock (limit)"}));
  goals.at_most("map: 64 B replaced, against LMDB without sync", 0.2,
                goals.ratio({"map-write", 64, "sapbuf map"}, {"map-write", 64, "LMDB"}));
  goals.at_most("map: 64 B replaced, against the same with MDB_WRITEMAP", 0.2,
                goals.ratio({"map-write", 64, "sapbuf map"}, {"map-write", 64, "LMDB, MDB_WRITEMAP"}));
  goals.at_least("map: read beside a writer that never stops, against alone", 0.8,
                 goals.ratio({"map-readers", 1, "sapbuf map, a writer"}, {"map-readers", 1, "sapbuf map"}));
  goals.at_least("map: read by 4 at once, against a seqlock", 0.67,
                 goals.ratio({"map-readers", 4, "sapbuf map"}, {"map-readers", 4, "seqlock (limit)"}));
  goals.at_least("map: read by 4 at once, against LMDB", 10,
                 goals.ratio({"map-readers", 4, "sapbuf map"}, {"map-readers", 4, "LMDB"}));
  goals.at_most("death of a key's writer -> written by another one, with watchdog, p99", 10,
                goals.figure({"map-recovery", 0, "with watchdog"}, 99), "ms");
  goals.at_most("death of a key's writer -> written by another one, without watchdog, p99", 100,
                goals.figure({"map-recovery", 0, "without watchdog"}, 99), "ms");
}

void add_goals_of_queues(Goals& goals) {
  goals.at_least("queue: 16 B from one to one, against rte_ring MP/MC", 1.2,
                 goals.ratio({"queue", 16, "sapbuf queue"}, {"queue", 16, "DPDK rte_ring MP/MC"}));
  goals.at_least("queue: 1024 B from one to one, against rte_ring MP/MC", 1.2,
                 goals.ratio({"queue", 1024, "sapbuf queue"}, {"queue", 1024, "DPDK rte_ring MP/MC"}));
  goals.at_least("queue: batches of 32, 16 B, against rte_ring bulk", 1.0,
                 goals.ratio({"queue", 16, "sapbuf queue batch 32"}, {"queue", 16, "DPDK rte_ring MP/MC bulk 32"}));
  goals.at_least("queue: batches of 32, 1024 B, against rte_ring bulk", 1.0,
                 goals.ratio({"queue", 1024, "sapbuf queue batch 32"}, {"queue", 1024, "DPDK rte_ring MP/MC bulk 32"}));
  for (const double bytes : {64., 1024.}) {
    for (const char* const beside : {"beside a producer that was stopped", "beside a job that does not end"}) {
      goals.at_least(fmt::format("queue: {:.0f} B {}, against undisturbed", bytes, beside), 0.9,
                     goals.ratio({"queue-mishaps", bytes, beside}, {"queue-mishaps", bytes, "undisturbed"}));
    }
  }
  goals.at_most("death of a block's consumer -> redelivered, with watchdog, p99", 10,
                goals.figure({"redelivery", 0, "with watchdog"}, 99), "ms");
  goals.at_most("death of a block's consumer -> redelivered, without watchdog, p99", 100,
                goals.figure({"redelivery", 0, "without watchdog"}, 99), "ms");
}

void add_goals_of_pools(Goals& goals) {
  constexpr const char* kPool = "sapbuf pool, 64 users";
  for (const auto& [scenario, how] : {std::pair{"pool-singly", "singly"}, std::pair{"pool-bursts", "in bursts"}}) {
    for (const double bytes : {64., 4096., 1048576.}) {
      const Place pool{scenario, bytes, kPool};
      const std::string what = fmt::format("buffer of {} B, {}, ", bytes, how);
      goals.at_most(what + "against rte_mempool with cache", 0.4,
                    goals.ratio(pool, {scenario, bytes, "DPDK rte_mempool, cache"}));
      goals.at_most(what + "against mimalloc", 1, goals.ratio(pool, {scenario, bytes, "mimalloc"}));
    }
    goals.at_most(fmt::format("buffer of 64 B, {}, 64 users against 2", how), 1.05,
                  goals.ratio({scenario, 64, kPool}, {scenario, 64, "sapbuf pool, 2 users"}));
  }
  for (const char* const bytes : {"4096 B", "1048576 B"}) {
    goals.at_most(fmt::format("buffer of {} against one of 64 B", bytes), 1.05,
                  goals.ratio({"pool-sizes", 0, bytes}, {"pool-sizes", 0, "64 B"}));
  }
  goals.at_most("run of 1,024 buffers against one", 2,
                goals.ratio({"pool-runs", 0, "run of 1024"}, {"pool-runs", 0, "one buffer"}));
  goals.at_most("run of 1,024 buffers", 200, goals.figure({"pool-runs", 0, "run of 1024"}, 50), "ns");
  const auto handed = [](const char* column) { return Place{"pool-hand-over", 0, column}; };
  const Place pool = handed("sapbuf pool, over a ring");
  goals.at_most("acquire here, release there, against rte_mempool and rte_ring", 0.7,
                goals.ratio(pool, handed("DPDK rte_mempool + rte_ring")));
  goals.at_most("acquire here, release there, against Boost managed_shared_memory", 0.05,
                goals.ratio(pool, handed("Boost managed_shared_memory")));
  const auto adopted = [](const char* column) { return Place{"pool-adopt", 0, column}; };
  goals.at_most("adopt + release, 1 holder, against a mask", 0.1,
                goals.ratio(adopted("sapbuf pool, 1 holder"), adopted("mask in a word, 1 holder")));
  goals.at_most("adopt + release, 16 holders, against a mask", 0.1,
                goals.ratio(adopted("sapbuf pool, 16 holders"), adopted("mask in a word, 16 holders")));
  goals.at_most("adopt + release, 16 holders against 1", 1.05,
                goals.ratio(adopted("sapbuf pool, 16 holders"), adopted("sapbuf pool, 1 holder")));
  goals.at_most("adopt + release, two at once, against a mask", 0.1,
                goals.ratio({"pool-adopt-at-once", 0, "sapbuf pool"}, {"pool-adopt-at-once", 0, "mask in a word"}));
  goals.at_least("acquire + release, two processes at once against one", 1.9,
                 goals.ratio({"pool-at-once", 0, "sapbuf pool, two"}, {"pool-at-once", 0, "sapbuf pool, one"}));
  goals.at_most("starving, owners idle -> served", 100, goals.figure({"pool-starving", 0, "idle owners"}, 50), "us");
  goals.at_most("starving, owners stopped -> served", 100, goals.figure({"pool-starving", 0, "stopped owners"}, 50),
                "us");
  goals.at_most("end of one who holds 100,000 buffers -> all free", 2,
                goals.figure({"pool-death", 0, "from the process's end"}, 50), "ms");
  goals.at_most("growth by 64 MiB, longest pause of another user", 1,
                goals.figure({"pool-growth", 0, "while the pool grows by 64 MiB"}, 50), "ms");
  goals.at_most("memory of a pool beside its buffers", 10, goals.figure({"pool-memory", 0, "default"}, 50), "B");
}

}  // namespace

std::vector<Goal> goals_of(const Report& report) {
  Goals goals{report};
  add_goals_of_streams(goals);
  add_goals_of_pools(goals);
  add_goals_of_maps(goals);
  add_goals_of_queues(goals);
  return goals.take();
}

void show(const std::vector<Goal>& goals, const Options& options) {
  if (options.json) {
    for (const Goal& goal : goals) {
      fmt::print("{}\n", nlohmann::json{{"goal", goal.what},
                                        {"at_least", goal.at_least},
                                        {"bound", goal.bound},
                                        {"reached", goal.reached},
                                        {"unit", goal.unit},
                                        {"cores", goal.cores},
                                        {"met", goal.met()}}
                             .dump());
    }
    return;
  }
  if (goals.empty()) return;
  fmt::print("goals\n  {:<66}{:>6}{:>12}{:>10}\n", "", "cores", "goal", "reached");
  for (const Goal& goal : goals) {
    fmt::print("  {:<66}{:>6}  {:>2} {:>5} {:<3}{:>8.2f} {:<3}{}\n", goal.what, goal.cores,
               goal.at_least ? ">=" : "<=", goal.bound, goal.unit, goal.reached, goal.unit,
               goal.met() ? "" : "  missed");
  }
}

}  // namespace sapbuf::bench
