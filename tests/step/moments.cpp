#include "step/moments.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace sapbuf::test {

SharedBytes::SharedBytes(const std::string& segment_name, std::span<const std::byte> more,
                         std::vector<std::size_t> ignored)
    : path_("/dev/shm/sapbuf." + segment_name), more_(more), ignored_(std::move(ignored)) {
  look_again();
  changed();
}

SharedBytes::~SharedBytes() { unmap(); }

void SharedBytes::unmap() noexcept {
  if (!object_.empty()) ::munmap(const_cast<std::byte*>(object_.data()), object_.size());
  object_ = {};
}

void SharedBytes::look_again() {
  struct stat now {};
  const bool exists = ::stat(path_.c_str(), &now) == 0;
  const std::size_t size = exists ? static_cast<std::size_t>(now.st_size) : 0;
  if (size == object_.size() && (size == 0 || now.st_ino == inode_)) return;
  unmap();
  if (size == 0) return;
  const int descriptor = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  void* const memory = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
  ::close(descriptor);
  if (memory == MAP_FAILED) throw std::runtime_error("cannot map " + path_);
  object_ = {static_cast<const std::byte*>(memory), size};
  inode_ = now.st_ino;
}

std::vector<std::byte> SharedBytes::copy() const {
  std::vector<std::byte> bytes(object_.begin(), object_.end());
  for (const std::size_t at : ignored_) std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), 8, std::byte{0});
  bytes.insert(bytes.end(), more_.begin(), more_.end());
  return bytes;
}

// Nearly every step changes nothing: so it is compared before it is copied.
bool SharedBytes::is_as_it_was() const noexcept {
  if (last_.size() != object_.size() + more_.size()) return false;
  const std::byte* const last = last_.data();
  std::size_t at = 0;
  for (const std::size_t ignored : ignored_) {
    if (std::memcmp(object_.data() + at, last + at, ignored - at) != 0) return false;
    at = ignored + 8;
  }
  return std::memcmp(object_.data() + at, last + at, object_.size() - at) == 0 &&
         std::memcmp(more_.data(), last + object_.size(), more_.size()) == 0;
}

bool SharedBytes::changed() {
  if (is_as_it_was()) return false;
  last_ = copy();
  return true;
}

std::size_t SharedBytes::hash() const {
  return std::hash<std::string_view>{}({reinterpret_cast<const char*>(last_.data()), last_.size()});
}

namespace {

// One step; whether it brought about a moment.
bool step_changes(SteppedProcess& process, SharedBytes& bytes) {
  const bool calls_system = process.at_system_call();
  if (process.step() != SteppedProcess::State::stepping) return false;
  if (calls_system) bytes.look_again();
  return bytes.changed() || calls_system;
}

bool is_power_of_two(std::uint64_t value) { return (value & (value - 1)) == 0; }

void add_moment(std::vector<Moment>& moments, const Moment& moment) {
  Moment& last = moments.back();
  const bool same_instruction = last.address == moment.address && last.arrivals == moment.arrivals;
  if (same_instruction && !is_power_of_two(last.repetitions)) {
    last = moment;
  } else {
    moments.push_back(moment);
  }
}

}  // namespace

Trace trace(SteppedProcess& process, SharedBytes& bytes, std::size_t limit, Detail detail) {
  Trace result;
  std::unordered_map<std::uintptr_t, std::uint64_t> arrivals;
  std::set<std::pair<std::uintptr_t, std::size_t>> seen;
  std::uintptr_t last = 0;
  std::uint64_t repetitions = 0;
  result.moments.push_back({});
  while (process.state() == SteppedProcess::State::stepping && result.moments.size() < limit) {
    const std::uintptr_t address = process.address();
    if (address == last) {
      ++repetitions;
    } else {
      ++arrivals[address];
      repetitions = 0;
    }
    last = address;
    const bool changes = step_changes(process, bytes);
    if (process.state() != SteppedProcess::State::stepping) break;
    ++result.instructions;
    const bool is_new = detail == Detail::instructions || (changes && seen.emplace(address, bytes.hash()).second);
    if (is_new) add_moment(result.moments, {result.instructions, address, arrivals[address], repetitions});
  }
  result.broken = process.state() == SteppedProcess::State::broken;
  return result;
}

bool jump_to(SteppedProcess& process, SharedBytes& bytes, const Moment& moment, Detail detail) {
  if (moment.address == 0) return true;
  if (process.run_to(moment.address, moment.arrivals) != SteppedProcess::State::stepping) return false;
  for (std::uint64_t i = 0; i < moment.repetitions; ++i) {
    if (process.step() != SteppedProcess::State::stepping || process.address() != moment.address) return false;
  }
  bytes.look_again();
  bytes.changed();
  const bool changes = step_changes(process, bytes);
  return process.state() == SteppedProcess::State::stepping && (changes || detail == Detail::instructions);
}

}  // namespace sapbuf::test
