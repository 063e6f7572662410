#include <unistd.h>

#include <boost/interprocess/ipc/message_queue.hpp>
#include <vector>

#include "hand_over.hpp"

namespace sapbuf::bench {
namespace {

namespace bip = boost::interprocess;

class MessageQueuePeer final : public Peer {
 public:
  void prepare(const Load& load) override {
    name_ = "sapbuf.bench.mq." + std::to_string(::getpid());
    bip::message_queue::remove(name_.c_str());
    bip::message_queue{bip::create_only, name_.c_str(), 2 * kSlabBytes / load.message_bytes, load.message_bytes};
  }

  void produce(const Load& load, const Ready& begin) override {
    bip::message_queue queue{bip::open_only, name_.c_str()};
    std::vector<std::byte> message(load.message_bytes);
    begin();
    for (std::uint64_t number = 0; number < load.messages; ++number) {
      fill(message.data(), message.size(), number);
      queue.send(message.data(), message.size(), 0);
    }
  }

  std::uint64_t consume(const Load& load, const Ready& ready) override {
    bip::message_queue queue{bip::open_only, name_.c_str()};
    std::vector<std::byte> message(load.message_bytes);
    ready();
    std::uint64_t sum = 0;
    for (std::uint64_t seen = 0; seen < load.messages * load.producers; ++seen) {
      bip::message_queue::size_type bytes = 0;
      unsigned priority = 0;
      queue.receive(message.data(), message.size(), bytes, priority);
      sum += sum_of(message.data(), bytes);
    }
    return sum;
  }

  void clean_up() noexcept override { bip::message_queue::remove(name_.c_str()); }

 private:
  std::string name_;
};

}  // namespace

std::unique_ptr<Peer> make_message_queue() { return std::make_unique<MessageQueuePeer>(); }

}  // namespace sapbuf::bench
