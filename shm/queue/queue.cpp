// The public calls of Queue, Producer, Consumer, and the blocks that they have.
#include <sapbuf/queue.hpp>

#include <algorithm>

#include "platform/cancellation.hpp"
#include "queue/consumer.hpp"
#include "queue/producer.hpp"
#include "queue/queue_options.hpp"

namespace sapbuf {
inline namespace SAPBUF_ABI {

using platform::Uncancellable;

Queue::Queue(Segment segment, std::shared_ptr<detail::QueueCore> core, bool created) noexcept
    : segment_(std::move(segment)), core_(std::move(core)), created_(created) {}

Queue Queue::create(const Segment& segment, std::string_view name, const QueueOptions& options) {
  const Uncancellable to_its_end;
  const std::shared_ptr<detail::SegmentCore>& core = segment.core();
  return core->unless_truncated([&] {
    core->check_not_forked();
    detail::make_queue(*core, name, options);
    return Queue{segment, detail::open_queue(core, name), true};
  });
}

Queue Queue::open(const Segment& segment, std::string_view name) {
  const Uncancellable to_its_end;
  return segment.core()->unless_truncated([&] {
    return Queue{segment, detail::open_queue(segment.core(), name), false};
  });
}

Queue Queue::open_or_create(const Segment& segment, std::string_view name, const QueueOptions& options) {
  const Uncancellable to_its_end;
  const auto find = [&]() -> std::optional<Queue> {
    auto there = detail::find_queue(segment.core(), name);
    return there ? std::optional(Queue{segment, std::move(there), false}) : std::nullopt;
  };
  return detail::find_or_create(find, [&] { return create(segment, name, options); });
}

bool Queue::remove(const Segment& segment, std::string_view name) {
  const Uncancellable to_its_end;
  return segment.core()->unless_truncated([&] {
    segment.core()->check_not_forked();
    return detail::remove_queue(*segment.core(), name);
  });
}

const std::string& Queue::name() const { return core()->record().name; }
bool Queue::created() const {
  core();
  return created_;
}
QueueOptions Queue::options() const { return detail::options_of(*core()); }
std::vector<std::string> Queue::differences(const QueueOptions& asked) const {
  return detail::differences(options(), asked);
}
bool Queue::is_current() const { return core()->is_current(); }
std::size_t Queue::block_bytes() const { return core()->pool()->geometry().buffer_bytes; }
std::size_t Queue::bytes() const { return core()->bytes(); }

const std::shared_ptr<detail::QueueCore>& Queue::core() const {
  if (core_ == nullptr) throw Error(Errc::invalid_argument, "this queue handle was moved from");
  return core_;
}

// --- Producing

Producer::Producer(const Queue& queue, const ProducerOptions& options) {
  const Uncancellable to_its_end;
  producer_ = queue.core()
                  ->segment()
                  .unless_truncated([&] {
                    const Pool pool{queue.segment(), detail::keep(queue.segment().core(), queue.core()->pool()), false};
                    return std::make_unique<detail::ProducerState>(queue.core(), pool, options);
                  })
                  .release();
}
Producer::Producer(Producer&& other) noexcept : producer_(std::exchange(other.producer_, nullptr)) {}
Producer& Producer::operator=(Producer&& other) noexcept {
  if (this != &other) {
    close();
    producer_ = std::exchange(other.producer_, nullptr);
  }
  return *this;
}
Producer::~Producer() { close(); }

void Producer::close() noexcept {
  if (detail::ProducerState* const producer = std::exchange(producer_, nullptr)) producer->let_go();
}

ReservedBlocks Producer::reserve(std::size_t up_to) noexcept {
  return producer_ == nullptr ? ReservedBlocks{} : producer_->reserve(up_to);
}

ReservedBlocks Producer::reserve_for(std::size_t up_to, std::chrono::nanoseconds timeout) noexcept {
  return producer_ == nullptr ? ReservedBlocks{} : producer_->reserve_for(up_to, timeout);
}

Status Producer::push(std::span<const std::byte> bytes, std::uint16_t type) noexcept {
  ReservedBlocks reserved = reserve(1);
  if (!reserved) return reserved.status();
  ReservedBlock& block = reserved[0];
  if (bytes.size() > block.bytes().size()) return Status::too_large;
  std::copy(bytes.begin(), bytes.end(), block.bytes().begin());
  block.resize(bytes.size());
  block.set_type(type);
  return reserved.release() == 1 ? Status::ok : reserved.status();
}

int Producer::event_fd() {
  if (producer_ == nullptr) throw Error(Errc::invalid_argument, "this producer was closed or moved from");
  return producer_->event_fd();
}

std::uint32_t Producer::slot() const noexcept { return producer_ == nullptr ? ~std::uint32_t{0} : producer_->index(); }

std::size_t ReservedBlocks::release(std::size_t count) noexcept {
  if (producer_ == nullptr) return 0;
  const std::size_t most = std::min(count, size());
  std::size_t gone = 0;
  const std::size_t released = producer_->release({blocks_.data() + first_, most}, gone, status_);
  first_ += gone;
  return released;
}

void ReservedBlocks::let_go() noexcept {
  detail::ProducerState* const producer = std::exchange(producer_, nullptr);
  if (producer == nullptr) return;
  first_ = 0;
  producer->give_back(std::move(blocks_));
  blocks_.clear();
}

// --- Consuming

Consumer::Consumer(const Queue& queue, const ConsumerOptions& options) {
  const Uncancellable to_its_end;
  const auto attach = [&] { return std::make_unique<detail::ConsumerState>(queue.core(), options); };
  consumer_ = queue.core()->segment().unless_truncated(attach).release();
}
Consumer::Consumer(Consumer&& other) noexcept : consumer_(std::exchange(other.consumer_, nullptr)) {}
Consumer& Consumer::operator=(Consumer&& other) noexcept {
  if (this != &other) {
    close();
    consumer_ = std::exchange(other.consumer_, nullptr);
  }
  return *this;
}
Consumer::~Consumer() { close(); }

void Consumer::close() noexcept {
  if (detail::ConsumerState* const consumer = std::exchange(consumer_, nullptr)) consumer->let_go();
}

TakenBlocks Consumer::take(std::size_t up_to) noexcept {
  TakenBlocks taken;
  if (consumer_ == nullptr) return taken;
  taken.consumer_ = consumer_;
  taken.blocks_ = consumer_->begin_set();
  taken.status_ = consumer_->take(up_to, taken.blocks_);
  return taken;
}

namespace {

// Whether to look again; not at a deadline that is over.
bool wait_until(detail::ConsumerState& consumer, std::uint64_t deadline_ns) noexcept {
  const std::uint64_t now = platform::monotonic_ns();
  const std::uint64_t left = deadline_ns > now ? std::min<std::uint64_t>(deadline_ns - now, INT64_MAX) : 0;
  return consumer.wait_for(std::chrono::nanoseconds{static_cast<std::int64_t>(left)}) && left != 0;
}

}  // namespace

TakenBlocks Consumer::take_for(std::size_t up_to, std::chrono::nanoseconds timeout) noexcept {
  const std::uint64_t deadline_ns = platform::deadline_after(timeout);
  for (;;) {
    TakenBlocks taken = take(up_to);
    if (taken.status_ != Status::not_found || up_to == 0) return taken;
    if (wait_until(*consumer_, deadline_ns)) continue;
    taken.status_ = consumer_->why_nothing();
    return taken;
  }
}

TakenBlock Consumer::take_for(std::chrono::nanoseconds timeout) noexcept {
  const std::uint64_t deadline_ns = platform::deadline_after(timeout);
  for (;;) {
    TakenBlock taken = take();
    if (taken || consumer_ == nullptr || !wait_until(*consumer_, deadline_ns)) return taken;
  }
}

TakenBlocks Consumer::take_dead(std::size_t up_to) noexcept {
  TakenBlocks taken;
  if (consumer_ == nullptr) return taken;
  taken.consumer_ = consumer_;
  taken.blocks_ = consumer_->begin_set();
  taken.status_ = consumer_->take_dead(up_to, taken.blocks_);
  return taken;
}

TakenBlock Consumer::take() noexcept { return consumer_ == nullptr ? TakenBlock{} : consumer_->take_one(); }

bool Consumer::wait_for(std::chrono::nanoseconds timeout) noexcept {
  return consumer_ != nullptr && consumer_->wait_for(timeout);
}

int Consumer::event_fd() {
  if (consumer_ == nullptr) throw Error(Errc::invalid_argument, "this consumer was closed or moved from");
  return consumer_->event_fd();
}

std::uint32_t Consumer::slot() const noexcept { return consumer_ == nullptr ? ~std::uint32_t{0} : consumer_->index(); }

bool TakenBlock::done() noexcept {
  detail::ConsumerState* const consumer = std::exchange(consumer_, nullptr);
  return consumer != nullptr && consumer->done(*this);
}

bool TakenBlock::give_back(std::chrono::nanoseconds delay) noexcept {
  detail::ConsumerState* const consumer = std::exchange(consumer_, nullptr);
  return consumer != nullptr && consumer->give_back(*this, delay);
}

Status TakenBlock::pass_to(Producer& producer, std::size_t used, std::uint16_t type) noexcept {
  return pass(producer, {}, used, type);
}

Status TakenBlock::pass_to(Producer& producer, std::span<const std::byte> answer, std::uint16_t type) noexcept {
  return pass(producer, answer, answer.size(), type);
}

Status TakenBlock::pass(Producer& producer, std::span<const std::byte> answer, std::size_t used,
                        std::uint16_t type) noexcept {
  if (consumer_ == nullptr || producer.producer_ == nullptr) return Status::closed;
  if (const Status status = producer.producer_->why_not(); status != Status::ok) return status;
  const Uncancellable to_its_end;
  detail::ConsumerState& consumer = *consumer_;
  const Status status = consumer.pass(*this, producer.producer_->core(), answer, used, type);
  if (status == Status::ok) consumer_ = nullptr;
  return status;
}

bool TakenBlock::retry() noexcept {
  detail::ConsumerState* const consumer = std::exchange(consumer_, nullptr);
  return consumer != nullptr && consumer->retry(*this);
}

std::optional<std::uint64_t> TakenBlock::key() const noexcept {
  return consumer_ == nullptr ? std::nullopt : consumer_->key(*this);
}

std::span<std::byte> TakenBlock::room() const noexcept {
  return consumer_ == nullptr ? std::span<std::byte>{} : consumer_->room(*this);
}

void TakenBlocks::let_go() noexcept {
  blocks_.clear();
  if (detail::ConsumerState* const consumer = std::exchange(consumer_, nullptr)) consumer->end_set(std::move(blocks_));
}

}  // namespace SAPBUF_ABI
}  // namespace sapbuf
