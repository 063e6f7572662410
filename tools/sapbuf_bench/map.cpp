// Maps and cells: readings and updates, each process by itself and beside others.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "at_once.hpp"
#include "map_peers.hpp"
#include "scenarios.hpp"
#include "shared_memory.hpp"

namespace sapbuf::bench {
namespace {

constexpr std::uint64_t kKeys = 1000;

// An entry that was looked up once is what most readers have; LMDB's and Boost's look theirs up each time.
enum class Lookup { once, also_each_time };

std::vector<MapPeer> peers_of(const MapShape& shape, Lookup lookup = Lookup::once) {
  std::vector<MapPeer> peers{map_peer_sapbuf(shape), map_peer_rwlock(shape), map_peer_boost(shape),
                             map_peer_seqlock(shape)};
  if (lookup == Lookup::also_each_time) peers.insert(peers.begin() + 1, map_peer_sapbuf_by_key(shape));
#ifdef SAPBUF_BENCH_LMDB
  peers.push_back(map_peer_lmdb(shape, LmdbPages::written));
#endif
  return peers;
}

std::vector<MapPeer> writing_peers_of(const MapShape& shape) {
  std::vector<MapPeer> peers = peers_of(shape);
#ifdef SAPBUF_BENCH_LMDB
  peers.push_back(map_peer_lmdb(shape, LmdbPages::mapped));
#endif
  return peers;
}

// Seconds for so many readings by each reader, beside writers that write until the last reader is done.
double seconds_of_reading(const MapPeer& peer, unsigned readers, unsigned writers, std::uint64_t times) {
  const SharedMemory memory{4096};
  auto& reading = *new (memory.get()) std::atomic<unsigned>{readers};
  std::atomic<std::uint64_t> sum{0};  // so that nothing is left out
  return at_once(readers + writers, [&](unsigned process, const Ready& ready) {
    if (process >= readers) {
      const auto writer = peer.writer();
      writer->write(0, 1000);
      ready();
      for (std::uint64_t first = 0; reading.load(std::memory_order_relaxed) != 0; ++first) writer->write(first, 100);
      return;
    }
    const auto reader = peer.reader();
    sum += reader->read(process, 10'000);
    ready();
    sum += reader->read(process, times);
    reading.fetch_sub(1);
  });
}

double ns_of_reading(const MapPeer& peer, std::uint64_t times) {
  return seconds_of_reading(peer, 1, 0, times) * 1e9 / static_cast<double>(times);
}

// For one value, by so many writers at once.
double ns_of_writing(const MapPeer& peer, unsigned writers, std::uint64_t times) {
  return at_once(writers,
                 [&](unsigned, const Ready& ready) {
                   const auto writer = peer.writer();
                   writer->write(0, 1000);
                   ready();
                   writer->write(0, times);
                 }) *
         1e9 / static_cast<double>(times);
}

}  // namespace

void measure_map_reading(Report& report) {
  const bool quick = report.options().quick;
  const std::uint64_t keys = quick ? 100 : kKeys;
  for (const std::size_t bytes : {std::size_t{16}, std::size_t{64}, std::size_t{4096}, std::size_t{65536}}) {
    const std::uint64_t times = (quick ? 20'000 : 2'000'000) * 512 / std::max<std::size_t>(bytes, 512);
    std::vector<Column> columns;
    for (const MapPeer& peer : peers_of({keys, bytes}, Lookup::also_each_time)) {
      columns.push_back({peer.name, [=] { return ns_of_reading(peer, times); }});
    }
    report.measure({"map-read", fmt::format("a value of {} bytes read whole, {} keys", bytes, keys), "ns",
                    std::move(columns), static_cast<double>(bytes)});
  }
}

void measure_map_keys(Report& report) {
  const bool quick = report.options().quick;
  const std::uint64_t times = quick ? 20'000 : 2'000'000;
  for (const bool skewed : {false, true}) {
    for (const std::uint64_t keys : {1'000, 10'000, 100'000, 1'000'000}) {
      if (quick && keys > 1'000) break;
      std::vector<Column> columns;
      for (const MapPeer& peer : peers_of({keys, 64, skewed}, Lookup::also_each_time)) {
        columns.push_back({peer.name, [=] { return ns_of_reading(peer, times); }});
      }
      report.measure(
          {skewed ? "map-keys-skewed" : "map-keys",
           fmt::format("a value of 64 bytes read whole, {} keys{}", keys, skewed ? ", some far more often" : ""), "ns",
           std::move(columns), static_cast<double>(keys)});
    }
  }
}

void measure_map_readers(Report& report) {
  const std::uint64_t all = report.options().quick ? 16'000 : 1'600'000;
  constexpr const char* kBeside[] = {"", ", a writer", ", two writers"};
  for (const unsigned readers : {1u, 2u, 4u, 8u}) {
    if (report.options().quick && readers != 1 && readers != 8) continue;
    std::vector<Column> columns;
    for (const MapPeer& peer : peers_of({kKeys, 64})) {
      for (unsigned writers = 0; writers <= 2; ++writers) {
        columns.push_back({peer.name + kBeside[writers], [=] {
                             const double seconds = seconds_of_reading(peer, readers, writers, all / readers);
                             return static_cast<double>(all) / seconds / 1e6;
                           }});
      }
    }
    report.measure({"map-readers", fmt::format("values of 64 bytes read by {} at once, {} keys", readers, kKeys), "M/s",
                    std::move(columns), static_cast<double>(readers), true});
  }
}

void measure_map_writing(Report& report) {
  for (const std::size_t bytes : {std::size_t{64}, std::size_t{4096}}) {
    const std::uint64_t times = report.options().quick ? 2'000 : 100'000;
    std::vector<Column> columns;
    for (const MapPeer& peer : writing_peers_of({kKeys, bytes})) {
      columns.push_back({peer.name, [=] { return ns_of_writing(peer, 1, times); }});
    }
    report.measure({"map-write", fmt::format("a value of {} bytes replaced, {} keys", bytes, kKeys), "ns",
                    std::move(columns), static_cast<double>(bytes)});
  }
}

void measure_cells(Report& report) {
  const std::uint64_t times = report.options().quick ? 20'000 : 2'000'000;
  for (const std::size_t bytes : {std::size_t{16}, std::size_t{64}, std::size_t{256}}) {
    const MapShape one_value{1, bytes};
    std::vector<Column> columns;
    for (const MapPeer& peer : {map_peer_cell(bytes), map_peer_rwlock(one_value), map_peer_seqlock(one_value)}) {
      columns.push_back({peer.name + ", loaded", [=] { return ns_of_reading(peer, times); }});
      columns.push_back({peer.name + ", beside a writer", [=] {
                           const std::uint64_t fewer = times / 10;
                           return seconds_of_reading(peer, 1, 1, fewer) * 1e9 / static_cast<double>(fewer);
                         }});
      columns.push_back({peer.name + ", stored", [=] { return ns_of_writing(peer, 1, times); }});
      columns.push_back({peer.name + ", by two at once", [=] { return ns_of_writing(peer, 2, times / 10); }});
    }
    report.measure({"cells", fmt::format("one value of {} bytes", bytes), "ns", std::move(columns),
                    static_cast<double>(bytes), true});
  }
}

}  // namespace sapbuf::bench
