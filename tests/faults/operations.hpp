// What programs do with streams, pools, maps, queues and cells, each in a world of its own, to be tried with every call
// of it failing in turn.
#pragma once

#include <array>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "support/child.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {

// What a reader got of the writer: takes no memory, which could be refused.
struct Delivered {
  std::array<std::uint32_t, 1024> numbers{};
  std::size_t count = 0;
  std::size_t wrong = 0;  // torn, or nobody's

  void read(Reader& reader);
  bool in_order() const;
};

// Of facilities beside the stream. Made where it is needed; takes no memory that could be refused behind that.
struct Things {
  std::optional<Pool> pool;
  std::optional<PoolUser> other;  // has what the user wants
  std::optional<PoolUser> user;
  BufferReference reference;  // of what the other one shares
  std::array<Buffer, 64> others;
  std::array<Buffer, 64> buffers;
  std::size_t taken = 0;  // of `buffers`
  Run run;

  std::optional<Map> map;
  std::optional<MapWriter> map_writer;
  std::optional<MapReader> map_reader;
  std::uint64_t next_key = 0;

  std::optional<Queue> queue;
  std::optional<Producer> producer;
  std::optional<Consumer> consumer;
  std::uint64_t next_block = 0;
  std::uint64_t next_taken = 0;

  std::optional<Cell<std::uint64_t>> cell;

  void leave() noexcept;  // all of it, in the order in which programs do
};

// A stream's surroundings: made anew for each fault.
struct World {
  TestName name;
  SegmentOptions options;
  std::optional<Segment> segment;
  std::optional<Reader> reader;
  std::optional<Writer> writer;
  std::optional<Writer> idler;  // has an extent open, and does nothing
  Delivered delivered;          // to the reader
  std::uint32_t number = 0;     // of the writer's next message
  std::uint32_t accepted = 0;   // of its messages
  Things things;
  Status status = Status::ok;  // what the operation was told, unless it was as it ought to be

  // Throws where that is neither of these: the operation was told what is not so.
  void tell(Status got, Status wanted, std::initializer_list<Status> instead = {});
};

struct Operation {
  const char* name;
  SegmentOptions options{};
  std::function<void(World&)> before;
  std::function<void(World&)> act;  // may be repeated after `undo`
  std::function<void(World&)> undo = [](World&) {};
  // Whether `act` succeeds by throwing nothing only. Others swallow what went wrong: a detach, a write that may be
  // refused.
  bool makes_segment = false;  // where it fails, there must be nothing under the name
  // What is broken in the facilities, once everybody has left; nothing if all is well.
  std::function<std::string(const Segment&)> judge = [](const Segment&) { return std::string{}; };
};
std::vector<Operation> stream_operations();
std::vector<Operation> pool_operations();
std::vector<Operation> map_operations();
std::vector<Operation> queue_operations();
std::vector<Operation> cell_operations();
// Of a segment for these.
SegmentOptions small_segment();
// In a child that takes part, and dies in the midst of it.
void die(const World& world, const std::function<void(const Segment&)>& life);
inline std::ostream& operator<<(std::ostream& out, const Operation& operation) { return out << operation.name; }

}  // namespace sapbuf::test
