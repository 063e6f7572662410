// Heaps of one process: malloc, and mimalloc.
#include <cstdlib>
#ifdef SAPBUF_BENCH_MIMALLOC
#include <dlfcn.h>
#include <mimalloc.h>

#include <stdexcept>
#endif

#include "allocators.hpp"

namespace sapbuf::bench {
namespace {

class Malloc {
 public:
  explicit Malloc(std::size_t bytes) : bytes_(bytes) {}
  std::byte* acquire() const noexcept { return acquire(bytes_); }
  static std::byte* acquire(std::size_t bytes) noexcept { return static_cast<std::byte*>(std::malloc(bytes)); }
  static std::byte* at(std::byte* held) noexcept { return held; }
  static void release(std::byte* held) noexcept { std::free(held); }

 private:
  const std::size_t bytes_;
};

#ifdef SAPBUF_BENCH_MIMALLOC
// Its library has a malloc of its own, which would become this whole program's if it were linked: so it is loaded, where
// its names are nobody else's. A call goes through a pointer in both cases.
class Mimalloc {
 public:
  explicit Mimalloc(std::size_t bytes)
      : bytes_(bytes),
        malloc_(reinterpret_cast<decltype(&::mi_malloc)>(found("mi_malloc"))),
        free_(reinterpret_cast<decltype(&::mi_free)>(found("mi_free"))) {}
  std::byte* acquire() const noexcept { return acquire(bytes_); }
  std::byte* acquire(std::size_t bytes) const noexcept { return static_cast<std::byte*>(malloc_(bytes)); }
  static std::byte* at(std::byte* held) noexcept { return held; }
  void release(std::byte* held) const noexcept { free_(held); }

 private:
  static void* found(const char* name) {
    // Never closed: what it gave to threads is given back when they end.
    static void* const library = ::dlopen(SAPBUF_BENCH_MIMALLOC, RTLD_NOW | RTLD_LOCAL);
    void* const function = library == nullptr ? nullptr : ::dlsym(library, name);
    if (function == nullptr) throw std::runtime_error(std::string("cannot load mimalloc: ") + ::dlerror());
    return function;
  }

  const std::size_t bytes_;
  const decltype(&::mi_malloc) malloc_;
  const decltype(&::mi_free) free_;
};
#endif

// A heap that is in use: others of the size are held. One that becomes empty at each release gives up its page each time.
template <typename Heap>
class InUse : public Heap {
 public:
  explicit InUse(std::size_t bytes) : Heap(bytes) {
    for (std::byte*& one : held_) one = this->acquire();
  }
  InUse(const InUse&) = delete;
  InUse& operator=(const InUse&) = delete;
  ~InUse() {
    for (std::byte* one : held_) this->release(one);
  }

 private:
  std::array<std::byte*, 8> held_;
};

template <typename Heap>
Call mixed_call_of(std::string column) {
  return {std::move(column), [](benchmark::State& state) {
            const Heap heap{0};
            replace_mixed(state, heap);
          }};
}

}  // namespace

Calls mixed_calls_of_heaps() {
  Calls calls;
#ifdef SAPBUF_BENCH_MIMALLOC
  calls.push_back(mixed_call_of<Mimalloc>("mimalloc"));
#endif
  calls.push_back(mixed_call_of<Malloc>("malloc"));
  return calls;
}

Calls calls_of_heaps(Pattern pattern, std::size_t bytes) {
  Calls calls;
#ifdef SAPBUF_BENCH_MIMALLOC
  calls.push_back(call_of<InUse<Mimalloc>>("mimalloc", pattern, bytes));
#endif
  calls.push_back(call_of<InUse<Malloc>>("malloc", pattern, bytes));
  return calls;
}

}  // namespace sapbuf::bench
