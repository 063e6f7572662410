// A POSIX message queue, as deep as the system lets an ordinary user have it.
#include <fcntl.h>
#include <mqueue.h>
#include <unistd.h>

#include <stdexcept>
#include <vector>

#include "hand_over.hpp"

namespace sapbuf::bench {
namespace {

constexpr long kDepth = 10;

class PosixQueuePeer final : public Peer {
 public:
  void prepare(const Load& load) override {
    name_ = "/sapbuf.bench.mq." + std::to_string(::getpid());
    ::mq_unlink(name_.c_str());
    mq_attr attributes{};
    attributes.mq_maxmsg = kDepth;
    attributes.mq_msgsize = static_cast<long>(load.message_bytes);
    const mqd_t queue = ::mq_open(name_.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600, &attributes);
    if (queue < 0) throw std::runtime_error("mq_open failed");
    ::mq_close(queue);
  }

  void produce(const Load& load, const Ready& begin) override {
    const mqd_t queue = ::mq_open(name_.c_str(), O_WRONLY);
    std::vector<std::byte> message(load.message_bytes);
    begin();
    for (std::uint64_t number = 0; number < load.messages; ++number) {
      fill(message.data(), message.size(), number);
      if (::mq_send(queue, reinterpret_cast<const char*>(message.data()), message.size(), 0) != 0) {
        throw std::runtime_error("mq_send failed");
      }
    }
    ::mq_close(queue);
  }

  std::uint64_t consume(const Load& load, const Ready& ready) override {
    const mqd_t queue = ::mq_open(name_.c_str(), O_RDONLY);
    std::vector<std::byte> message(load.message_bytes);
    ready();
    std::uint64_t sum = 0;
    for (std::uint64_t seen = 0; seen < load.messages_of_each_consumer(); ++seen) {
      const ssize_t bytes = ::mq_receive(queue, reinterpret_cast<char*>(message.data()), message.size(), nullptr);
      if (bytes < 0) throw std::runtime_error("mq_receive failed");
      sum += sum_of(message.data(), static_cast<std::size_t>(bytes));
    }
    ::mq_close(queue);
    return sum;
  }

  void clean_up() noexcept override { ::mq_unlink(name_.c_str()); }
  bool shares() const noexcept override { return true; }

 private:
  std::string name_;
};

}  // namespace

std::unique_ptr<Peer> make_posix_mq() { return std::make_unique<PosixQueuePeer>(); }

}  // namespace sapbuf::bench
