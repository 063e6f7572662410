#include "support/possessions.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>

#include "pool/pool_core.hpp"

namespace sapbuf::test {

void fill(std::span<std::byte> buffer, Content content) {
  for (std::size_t at = 0; at + sizeof content.word <= buffer.size(); at += sizeof content.word) {
    std::memcpy(buffer.data() + at, &content.word, sizeof content.word);
  }
}

std::optional<Content> content_of(std::span<const std::byte> buffer) {
  Content first;
  std::memcpy(&first.word, buffer.data(), sizeof first.word);
  for (std::size_t at = 0; at + sizeof first.word <= buffer.size(); at += sizeof first.word) {
    if (std::memcmp(buffer.data() + at, &first.word, sizeof first.word) != 0) return std::nullopt;
  }
  return first;
}

SharedPossessions::SharedPossessions() {
  void* const memory = ::mmap(nullptr, sizeof(Possessions), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("no memory for notes");
  possessions_ = new (memory) Possessions;
}

SharedPossessions::~SharedPossessions() { ::munmap(possessions_, sizeof(Possessions)); }

Hand::Hand(const Pool& pool, Possessions& notes, std::uint32_t who, PoolUserOptions options)
    : pool_(pool), notes_(notes), who_(who), user_(pool, options) {}

std::uint32_t Hand::index_of(std::span<const std::byte> bytes) const {
  const auto offset = static_cast<std::uint64_t>(bytes.data() - pool_.core()->buffers());
  return static_cast<std::uint32_t>(offset / pool_.core()->geometry().stride_bytes);
}

void Hand::note(std::span<const std::byte> bytes, std::uint64_t word) {
  notes_.content.at(index_of(bytes)).store(word);
}

Status Hand::accept(Buffer buffer) {
  if (!buffer) return buffer.status();
  const Content content = Content::make(who_, number_++);
  fill(buffer.bytes(), content);
  note(buffer, content.word);
  buffers_.push_back(std::move(buffer));
  return Status::ok;
}

Status Hand::take() { return accept(user_.acquire()); }
Status Hand::take(std::uint64_t bytes) { return accept(user_.acquire(bytes)); }
Status Hand::take_for(std::chrono::nanoseconds timeout) { return accept(user_.acquire_for(timeout)); }
void Hand::take_all() {
  while (take() == Status::ok) {
  }
}

Offer Hand::share() {
  Buffer& buffer = buffers_.back();
  const Offer offer{buffer.share(), *content_of(buffer.bytes())};
  note(buffer, offer.content.word | Possessions::kShared);
  return offer;
}

Status Hand::adopt(const Offer& offer) {
  Buffer buffer = user_.adopt(offer.reference);
  if (!buffer) return buffer.status();
  if (content_of(buffer.bytes()) != offer.content) throw std::runtime_error("another buffer than was offered");
  note(buffer, offer.content.word | Possessions::kShared);
  buffers_.push_back(std::move(buffer));
  return Status::ok;
}

void Hand::release_last() {
  note(buffers_.back(), 0);
  buffers_.pop_back();
}

void Hand::release_last_elsewhere() {
  note(buffers_.back(), 0);
  std::thread{[&] { buffers_.back().release(); }}.join();
  buffers_.pop_back();
}

void Hand::release_all() {
  while (!buffers_.empty()) release_last();
}

Status Hand::take_run(std::uint32_t buffers) {
  Run run = user_.acquire_run(buffers);
  if (!run) return run.status();
  const Content content = Content::make(who_, number_++);
  for (const std::span<std::byte> part : run.parts()) {
    fill(part, content);
    note(part, content.word);
  }
  runs_.push_back(std::move(run));
  return Status::ok;
}

void Hand::release_run() {
  for (const std::span<std::byte> part : runs_.back().parts()) note(part, 0);
  runs_.pop_back();
}

std::pair<Buffer, std::uint64_t> Hand::give_away() {
  Buffer buffer = std::move(buffers_.back());
  buffers_.pop_back();
  const std::uint64_t noted = notes_.content.at(index_of(buffer.bytes())).exchange(0);
  return {std::move(buffer), noted};
}

void Hand::take_back(Buffer buffer, std::uint64_t noted) {
  note(buffer, noted);
  buffers_.push_back(std::move(buffer));
}

std::string broken_possession(const Pool& pool, const std::vector<const Possessions*>& all) {
  const layout::PoolGeometry& geometry = pool.core()->geometry();
  for (std::uint32_t buffer = 0; buffer < kMostBuffers; ++buffer) {
    std::uint64_t noted = 0;
    for (const Possessions* const each : all) {
      const std::uint64_t word = each->content.at(buffer).load();
      if (word == 0) continue;
      const std::string which = "buffer " + std::to_string(buffer);
      if (noted != 0 && (word != noted || (word & Possessions::kShared) == 0)) return which + " is two users' own";
      noted = word;
      const std::byte* const begin = pool.core()->buffers() + buffer * geometry.stride_bytes;
      const auto there = content_of({begin, pool.core()->buffer_bytes(buffer)});
      if (!there || *there != Possessions::content_of(word)) return which + " was changed under its holder";
    }
  }
  return {};
}

std::size_t count_possessed(const std::vector<const Possessions*>& all) {
  std::size_t count = 0;
  for (std::uint32_t buffer = 0; buffer < kMostBuffers; ++buffer) {
    const bool is_held =
        std::any_of(all.begin(), all.end(), [&](const Possessions* each) { return each->content[buffer].load() != 0; });
    count += is_held ? 1 : 0;
  }
  return count;
}

}  // namespace sapbuf::test
