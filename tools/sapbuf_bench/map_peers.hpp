// What holds values by their keys, for processes that read and write it at once: each opens it anew, by what `place` made.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hand_over.hpp"
#include "key_order.hpp"

namespace sapbuf::bench {

// One process's reader, or writer. Keys are 0 to keys - 1, and all are there.
class MapReading {
 public:
  virtual ~MapReading() = default;
  // The sum of the value's words, in place where that can be. So often, in the order of keys that begins there.
  virtual std::uint64_t read(std::uint64_t first, std::uint64_t times) = 0;
};
class MapWriting {
 public:
  virtual ~MapWriting() = default;
  virtual void write(std::uint64_t first, std::uint64_t times) = 0;
};

struct MapPeer {
  std::string name;
  // The parent has it; processes made by fork open it.
  std::function<std::unique_ptr<MapReading>()> reader;
  std::function<std::unique_ptr<MapWriting>()> writer;
};

MapPeer map_peer_sapbuf(const MapShape& shape);         // map_peer_sapbuf.cpp
MapPeer map_peer_sapbuf_by_key(const MapShape& shape);  // the same, looked up at each reading
MapPeer map_peer_rwlock(const MapShape& shape);   // map_peer_locks.cpp: a table of values under a process-shared rwlock
MapPeer map_peer_seqlock(const MapShape& shape);  // the limit: a seqlock for each value, readers copy, nobody may die
MapPeer map_peer_boost(const MapShape& shape);    // map_peer_boost.cpp: a managed segment's map, under its mutex
MapPeer map_peer_cell(std::size_t value_bytes);   // map_peer_cell.cpp: one value, of 16, 64 or 256 bytes
#ifdef SAPBUF_BENCH_LMDB
// map_peer_lmdb.cpp: a read transaction that is reset and renewed; commits without a sync. Its writers write pages by system
// calls, as it comes; or all who open it map them writable (MDB_WRITEMAP), and a stray store of any of them damages the file.
enum class LmdbPages { written, mapped };
MapPeer map_peer_lmdb(const MapShape& shape, LmdbPages pages);
#endif

}  // namespace sapbuf::bench
