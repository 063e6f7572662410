// A managed segment of Boost.Interprocess, and a ring for the handles.
#include <optional>
#include <stdexcept>

#include "buffer_peers.hpp"
#include "managed_memory.hpp"

namespace sapbuf::bench {
namespace {

class ManagedPeer final : public Peer {
 public:
  void prepare(const Load& load) override {
    memory_.emplace(kHandedBuffers, load.message_bytes);
    ring_memory_ = SharedMemory{sizeof(Handles)};
    new (ring_memory_.get()) Handles;
  }

  void produce(const Load& load, const Ready& begin) override {
    auto& segment = memory_->segment();
    begin();
    for (std::uint64_t number = 0; number < load.messages; ++number) {
      auto* const buffer = static_cast<std::byte*>(segment.allocate(load.message_bytes));
      fill(buffer, load.message_bytes, number);
      push(handles(), segment.get_handle_from_address(buffer));
    }
  }

  std::uint64_t consume(const Load& load, const Ready& ready) override {
    auto& segment = memory_->segment();
    ready();
    std::uint64_t sum = 0;
    for (std::uint64_t seen = 0; seen < load.messages; ++seen) {
      auto* const buffer = static_cast<std::byte*>(segment.get_address_from_handle(pop(handles())));
      sum += sum_of(buffer, load.message_bytes);
      segment.deallocate(buffer);
    }
    return sum;
  }

  void clean_up() noexcept override {
    memory_.reset();
    ring_memory_ = {};
  }

 private:
  using Handles = Ring<ManagedMemory::Segment::handle_t>;
  Handles& handles() const noexcept { return *reinterpret_cast<Handles*>(ring_memory_.get()); }

  std::optional<ManagedMemory> memory_;
  SharedMemory ring_memory_;
};

}  // namespace

std::unique_ptr<Peer> make_managed_memory() { return std::make_unique<ManagedPeer>(); }

Call managed_memory_alone() {
  return {kManagedOverRing, [](benchmark::State& state) {
            ManagedMemory memory{kHandedBuffers, kHandedBytes};
            auto& segment = memory.segment();
            const auto ring = std::make_unique<Ring<ManagedMemory::Segment::handle_t>>();
            std::uint64_t number = 0;
            for (auto _ : state) {
              auto* const given = static_cast<std::byte*>(segment.allocate(kHandedBytes));
              fill(given, kHandedBytes, ++number);
              push(*ring, segment.get_handle_from_address(given));
              auto* const taken = static_cast<std::byte*>(segment.get_address_from_handle(pop(*ring)));
              benchmark::DoNotOptimize(sum_of(taken, kHandedBytes));
              segment.deallocate(taken);
            }
          }};
}

}  // namespace sapbuf::bench
