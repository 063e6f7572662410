// What Boost.Interprocess calls a managed_shared_memory, but for the name: the same algorithm, mutex and index.
#pragma once

#include <boost/interprocess/indexes/iset_index.hpp>
#include <boost/interprocess/managed_external_buffer.hpp>
#include <boost/interprocess/mem_algo/rbtree_best_fit.hpp>
#include <boost/interprocess/sync/mutex_family.hpp>

#include "shared_memory.hpp"

namespace sapbuf::bench {

// The parent makes it; the processes of a run inherit it.
class ManagedMemory {
 public:
  using Segment = boost::interprocess::basic_managed_external_buffer<
      char, boost::interprocess::rbtree_best_fit<boost::interprocess::mutex_family>, boost::interprocess::iset_index>;

  // With room for so many buffers.
  ManagedMemory(std::size_t count, std::size_t bytes)
      : memory_(count * (bytes + kFrameBytes) + kHeadBytes),
        segment_(boost::interprocess::create_only, memory_.get(), memory_.bytes()) {}

  Segment& segment() noexcept { return segment_; }

 private:
  static constexpr std::size_t kFrameBytes = 64;
  static constexpr std::size_t kHeadBytes = 4096;

  const SharedMemory memory_;
  Segment segment_;
};

}  // namespace sapbuf::bench
