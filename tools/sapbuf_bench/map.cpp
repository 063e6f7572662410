// Maps and cells: readings and updates, each process by itself and beside others.
#include <fmt/format.h>

#include <atomic>
#include <chrono>

#include "at_once.hpp"
#include "map_peers.hpp"
#include "scenarios.hpp"
#include "shared_memory.hpp"

namespace sapbuf::bench {
namespace {

std::vector<MapPeer> peers_of(const MapShape& shape) {
  std::vector<MapPeer> peers{map_peer_sapbuf(shape), map_peer_sapbuf_by_key(shape), map_peer_rwlock(shape),
                             map_peer_boost(shape), map_peer_seqlock(shape)};
#ifdef SAPBUF_BENCH_LMDB
  peers.push_back(map_peer_lmdb(shape, LmdbPages::written));
#endif
  return peers;
}

// A lookup makes no difference to the map's writer, which makes one in any case.
std::vector<MapPeer> writing_peers_of(const MapShape& shape) {
  std::vector<MapPeer> peers = peers_of(shape);
  std::erase_if(peers, [](const MapPeer& peer) { return peer.name == "sapbuf map, by key"; });
#ifdef SAPBUF_BENCH_LMDB
  peers.push_back(map_peer_lmdb(shape, LmdbPages::mapped));
#endif
  return peers;
}

// Nanoseconds for one reading, by so many readers at once.
double ns_of_reading(const MapPeer& peer, unsigned readers, std::uint64_t times) {
  std::atomic<std::uint64_t> sum{0};  // so that nothing is left out
  return at_once(readers,
                 [&](unsigned process, const Ready& ready) {
                   const auto reader = peer.reader();
                   sum += reader->read(process, 10'000);
                   ready();
                   sum += reader->read(process, times);
                 }) *
         1e9 / static_cast<double>(times);
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

// Readings of one, while another process writes without a pause.
double ns_of_reading_beside_a_writer(const MapPeer& peer, std::uint64_t times) {
  const SharedMemory memory{4096};
  auto& is_over = *new (memory.get()) std::atomic<bool>{false};
  auto& ns = *new (memory.get() + 64) std::atomic<double>{0};
  at_once(2, [&](unsigned process, const Ready& ready) {
    if (process == 1) {
      const auto writer = peer.writer();
      writer->write(0, 1000);
      ready();
      for (std::uint64_t first = 0; !is_over.load(std::memory_order_relaxed); ++first) writer->write(first, 100);
      return;
    }
    const auto reader = peer.reader();
    reader->read(0, 10'000);
    ready();
    const auto begin = std::chrono::steady_clock::now();
    reader->read(0, times);
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    ns.store(took.count() / static_cast<double>(times));
    is_over.store(true);
  });
  return ns.load();
}

constexpr std::uint64_t kKeys = 1000;

}  // namespace

void measure_map_reading(Report& report) {
  for (const std::size_t bytes : {std::size_t{16}, std::size_t{64}, std::size_t{4096}}) {
    const std::uint64_t times = (report.options().quick ? 20'000 : 2'000'000) / (bytes < 4096 ? 1 : 10);
    std::vector<Column> columns;
    for (const MapPeer& peer : peers_of({kKeys, bytes})) {
      columns.push_back({peer.name, [=] { return ns_of_reading(peer, 1, times); }});
    }
    report.measure({"map-read", fmt::format("a value of {} bytes read whole, {} keys", bytes, kKeys), "ns",
                    std::move(columns), static_cast<double>(bytes)});
  }
}

void measure_map_readers(Report& report) {
  const std::uint64_t times = report.options().quick ? 20'000 : 2'000'000;
  std::vector<Column> columns;
  for (const MapPeer& peer : peers_of({kKeys, 64})) {
    columns.push_back({peer.name + ", alone", [=] { return ns_of_reading(peer, 1, times); }});
    columns.push_back({peer.name + ", two readers", [=] { return ns_of_reading(peer, 2, times); }});
    columns.push_back({peer.name + ", a writer", [=] { return ns_of_reading_beside_a_writer(peer, times / 10); }});
  }
  report.measure({"map-readers", fmt::format("a reading of 64 bytes beside others, {} keys", kKeys), "ns",
                  std::move(columns), 0, true});
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
      columns.push_back({peer.name + ", loaded", [=] { return ns_of_reading(peer, 1, times); }});
      columns.push_back(
          {peer.name + ", beside a writer", [=] { return ns_of_reading_beside_a_writer(peer, times / 10); }});
      columns.push_back({peer.name + ", stored", [=] { return ns_of_writing(peer, 1, times); }});
      columns.push_back({peer.name + ", by two at once", [=] { return ns_of_writing(peer, 2, times / 10); }});
    }
    report.measure({"cells", fmt::format("one value of {} bytes", bytes), "ns", std::move(columns),
                    static_cast<double>(bytes), true});
  }
}

}  // namespace sapbuf::bench
