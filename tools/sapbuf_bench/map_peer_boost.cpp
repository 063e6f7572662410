// A map in a managed segment of Boost.Interprocess, under its mutex: see map_peers.hpp.
#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/containers/map.hpp>
#include <boost/interprocess/containers/vector.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#include <stdexcept>

#include "managed_memory.hpp"
#include "map_peers.hpp"

namespace sapbuf::bench {
namespace {

namespace ipc = boost::interprocess;

using Segment = ManagedMemory::Segment;
template <typename T>
using Allocator = ipc::allocator<T, Segment::segment_manager>;
using Bytes = ipc::vector<std::byte, Allocator<std::byte>>;
using Values = ipc::map<std::uint64_t, Bytes, std::less<>, Allocator<std::pair<const std::uint64_t, Bytes>>>;

struct Managed {
  explicit Managed(const MapShape& of) : shape(of), memory(2 * of.keys + 64, of.value_bytes + 256) {
    Segment& segment = memory.segment();
    mutex = segment.construct<ipc::interprocess_mutex>("mutex")();
    values = segment.construct<Values>("values")(segment.get_segment_manager());
    const Bytes empty(shape.value_bytes, std::byte{}, segment.get_segment_manager());
    for (std::uint64_t key = 0; key < shape.keys; ++key) values->emplace(key, empty);
  }
  const MapShape shape;
  ManagedMemory memory;
  ipc::interprocess_mutex* mutex;
  Values* values;
};

class ManagedReading final : public MapReading {
 public:
  explicit ManagedReading(std::shared_ptr<const Managed> of) : of_(std::move(of)) {}
  std::uint64_t read(std::uint64_t first, std::uint64_t times) override {
    std::uint64_t sum = 0;
    KeyOrder keys{of_->shape, first};
    for (std::uint64_t i = 0; i < times; ++i) {
      const ipc::scoped_lock lock{*of_->mutex};
      const auto found = of_->values->find(keys.next());
      sum += sum_of(found->second.data(), found->second.size());
    }
    return sum;
  }

 private:
  const std::shared_ptr<const Managed> of_;
};

class ManagedWriting final : public MapWriting {
 public:
  explicit ManagedWriting(std::shared_ptr<const Managed> of) : of_(std::move(of)) {}
  void write(std::uint64_t first, std::uint64_t times) override {
    KeyOrder keys{of_->shape, first};
    for (std::uint64_t i = 0; i < times; ++i) {
      const ipc::scoped_lock lock{*of_->mutex};
      fill(of_->values->find(keys.next())->second.data(), of_->shape.value_bytes, i);
    }
  }

 private:
  const std::shared_ptr<const Managed> of_;
};

}  // namespace

MapPeer map_peer_boost(const MapShape& shape) {
  const auto of = std::make_shared<const Managed>(shape);
  return {"Boost managed map", [=] { return std::make_unique<ManagedReading>(of); },
          [=] { return std::make_unique<ManagedWriting>(of); }};
}

}  // namespace sapbuf::bench
