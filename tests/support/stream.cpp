#include "support/stream.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>

#include "support/child.hpp"

namespace sapbuf {

std::ostream& operator<<(std::ostream& out, Order order) { return out << to_string(order); }
std::ostream& operator<<(std::ostream& out, OnFull on_full) { return out << to_string(on_full); }
std::ostream& operator<<(std::ostream& out, Fences fences) {
  return out << (fences == Fences::full ? "full fences" : "membarrier");
}
std::ostream& operator<<(std::ostream& out, Status status) { return out << to_string(status); }
std::ostream& operator<<(std::ostream& out, Errc code) {
  return out << (code == test::nothing() ? "no error" : make_error_code(code).message());
}
std::ostream& operator<<(std::ostream& out, Role role) { return out << to_string(role); }
std::ostream& operator<<(std::ostream& out, Liveness liveness) { return out << to_string(liveness); }
std::ostream& operator<<(std::ostream& out, From from) {
  return out << (from == From::oldest ? "from oldest" : "from newest");
}

}  // namespace sapbuf

namespace sapbuf::test {

Errc error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.errc();
  }
  return nothing();
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

// --- Messages ------------------------------------------------------------------------------------------------------

std::ostream& operator<<(std::ostream& out, const Tag& tag) { return out << tag.writer << "/" << tag.number; }

namespace {

std::byte padding(Tag tag, std::size_t position) {
  return static_cast<std::byte>(tag.writer * 31 + tag.number * 7 + position);
}

}  // namespace

void fill(std::span<std::byte> message, Tag tag) {
  std::memcpy(message.data(), &tag, sizeof tag);
  for (std::size_t i = sizeof tag; i < message.size(); ++i) message[i] = padding(tag, i);
}

std::optional<Tag> tag_of(std::span<const std::byte> message) {
  Tag tag;
  if (message.size() < sizeof tag) return std::nullopt;
  std::memcpy(&tag, message.data(), sizeof tag);
  for (std::size_t i = sizeof tag; i < message.size(); ++i) {
    if (message[i] != padding(tag, i)) return std::nullopt;
  }
  return tag;
}

std::size_t size_of(Tag tag, std::size_t largest) {
  std::uint64_t mixed = (std::uint64_t{tag.writer} << 32 | tag.number) * 0x9e37'79b9'7f4a'7c15u;
  mixed ^= mixed >> 29;
  return kTagBytes + mixed % (largest - kTagBytes + 1);
}

Status put(Writer& writer, Tag tag, std::size_t size) {
  Reservation reservation = writer.reserve(std::max(size, kTagBytes));
  if (!reservation) return reservation.status();
  fill(reservation.bytes(), tag);
  reservation.commit();
  return Status::ok;
}

void must_put(Writer& writer, Tag tag, std::size_t size) {
  const Status status = put(writer, tag, size);
  if (status != Status::ok) throw std::runtime_error("not accepted: " + std::string(to_string(status)));
}

void put_all(Writer& writer, std::uint32_t id, std::uint32_t count, std::size_t largest) {
  for (std::uint32_t number = 0; number < count; ++number) {
    const Tag tag{id, number};
    must_put(writer, tag, size_of(tag, largest));
  }
}

// --- Reading -------------------------------------------------------------------------------------------------------

std::vector<std::string> texts(Reader& reader, std::size_t limit) {
  std::vector<std::string> found;
  if (limit == 0) return found;
  for (const Frame& frame : reader.pin()) {
    found.emplace_back(reinterpret_cast<const char*>(frame.bytes().data()), frame.bytes().size());
    if (found.size() == limit) break;
  }
  return found;
}

std::size_t Log::read(Reader& reader, std::size_t limit) {
  std::size_t count = 0;
  if (limit == 0) return count;
  for (const Frame& frame : reader.pin()) {
    const auto tag = tag_of(frame.bytes());
    if (!tag) ++torn_;
    tags_.push_back(tag.value_or(Tag{~0u, ~0u}));
    if (++count == limit) break;
  }
  return count;
}

bool Log::read_until(Reader& reader, std::size_t count) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (size() < count) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    if (reader.wait_for(std::chrono::milliseconds{100})) read(reader);
  }
  return true;
}

std::map<std::uint32_t, std::vector<std::uint32_t>> Log::by_writer() const {
  std::map<std::uint32_t, std::vector<std::uint32_t>> numbers;
  for (const Tag& tag : tags_) numbers[tag.writer].push_back(tag.number);
  return numbers;
}

bool Log::in_order() const {
  const auto numbers = by_writer();
  return std::all_of(numbers.begin(), numbers.end(), [](const auto& writer) {
    return std::adjacent_find(writer.second.begin(), writer.second.end(), std::greater_equal<>{}) ==
           writer.second.end();
  });
}

bool Log::is_complete(std::uint32_t writers, std::uint32_t count) const {
  const auto numbers = by_writer();
  return torn_ == 0 && tags_.size() == std::size_t{writers} * count && numbers.size() == writers && in_order();
}

Ledger ledger_of(const Segment& segment, std::uint32_t slot) {
  for (const ParticipantSnapshot& participant : inspect(segment).participants) {
    if (participant.slot == slot) return participant.ledger;
  }
  throw std::runtime_error("nobody is in slot " + std::to_string(slot));
}

// --- Memory --------------------------------------------------------------------------------------------------------

HeapMemory::HeapMemory(std::size_t bytes)
    : bytes_(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{layout::kLineBytes})), bytes) {
  std::memset(bytes_.data(), 0xa5, bytes);  // whatever was there must not matter
}
HeapMemory::~HeapMemory() { ::operator delete (bytes_.data(), std::align_val_t{layout::kLineBytes}); }

SharedMemory::SharedMemory(std::size_t bytes) : SharedMemory(bytes, ::memfd_create("sapbuf-test", MFD_CLOEXEC)) {}

SharedMemory::SharedMemory(std::size_t bytes, int descriptor) : descriptor_(descriptor) {
  if (descriptor < 0 || ::ftruncate(descriptor, static_cast<off_t>(bytes)) != 0) {
    throw std::runtime_error("no file for shared memory");
  }
  void* const address = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (address == MAP_FAILED) throw std::runtime_error("mmap failed");
  bytes_ = {static_cast<std::byte*>(address), bytes};
}

Memory SharedMemory::map_again() const {
  void* const address = ::mmap(nullptr, bytes_.size(), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, 0);
  if (address == MAP_FAILED) throw std::runtime_error("mmap failed");
  return {.bytes = {static_cast<std::byte*>(address), bytes_.size()}, .descriptor = descriptor_};
}

SharedMemory::~SharedMemory() {
  ::munmap(bytes_.data(), bytes_.size());
  ::close(descriptor_);
}

// --- Chance --------------------------------------------------------------------------------------------------------

std::uint64_t base_seed() {
  const char* const text = std::getenv("SAPBUF_TEST_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 0) : 20240229;
}

}  // namespace sapbuf::test
