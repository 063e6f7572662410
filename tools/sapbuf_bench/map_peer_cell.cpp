// sapbuf's cell as a peer of what else keeps one value: see map_peers.hpp.
#include <unistd.h>

#include <array>
#include <sapbuf/sapbuf.hpp>
#include <stdexcept>

#include "map_peers.hpp"

namespace sapbuf::bench {
namespace {

class CellPlace {
 public:
  CellPlace() : name_("bench.cell-" + std::to_string(++made) + "." + std::to_string(::getpid())) {
    Segment::remove(name_);
    Segment::create(name_, {.participants = 8, .main_stream = false});
  }
  CellPlace(const CellPlace&) = delete;
  CellPlace& operator=(const CellPlace&) = delete;
  ~CellPlace() {
    try {
      Segment::remove(name_);
    } catch (const Error&) {
      // It was ours; if it cannot be removed, 'sapbuf ls' shows it.
    }
  }
  template <typename Value>
  Cell<Value> open() const {
    return Cell<Value>{Segment::open(name_), "value"};
  }

 private:
  static inline unsigned made = 0;  // in this process
  const std::string name_;
};

template <std::size_t kWords>
using Value = std::array<std::uint64_t, kWords>;

template <std::size_t kWords>
class Loading final : public MapReading {
 public:
  explicit Loading(const CellPlace& place) : cell_(place.open<Value<kWords>>()) {}
  std::uint64_t read(std::uint64_t, std::uint64_t times) override {
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < times; ++i) {
      const Value<kWords> value = cell_.load();
      sum += sum_of(reinterpret_cast<const std::byte*>(value.data()), sizeof value);
    }
    return sum;
  }

 private:
  const Cell<Value<kWords>> cell_;
};

template <std::size_t kWords>
class Storing final : public MapWriting {
 public:
  explicit Storing(const CellPlace& place) : cell_(place.open<Value<kWords>>()) {}
  void write(std::uint64_t, std::uint64_t times) override {
    for (std::uint64_t i = 0; i < times; ++i) {
      Value<kWords> value;
      value.fill(i);
      cell_.store(value);
    }
  }

 private:
  Cell<Value<kWords>> cell_;
};

template <std::size_t kWords>
MapPeer peer() {
  const auto place = std::make_shared<const CellPlace>();
  return {"sapbuf cell", [=] { return std::make_unique<Loading<kWords>>(*place); },
          [=] { return std::make_unique<Storing<kWords>>(*place); }};
}

}  // namespace

MapPeer map_peer_cell(std::size_t value_bytes) {
  switch (value_bytes) {
    case 16:
      return peer<2>();
    case 64:
      return peer<8>();
    case 256:
      return peer<32>();
    default:
      throw std::invalid_argument("no cell of that size");
  }
}

}  // namespace sapbuf::bench
