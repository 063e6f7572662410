// Request and response over two queues: a request is a block, and comes back with the answer in it. The server is killed again
// and again, at any moment; its successor serves what it had. Each request is answered once: the answer is the block itself.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include <sapbuf/sapbuf.hpp>

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kRequests = 4'000;
constexpr std::uint64_t kAtOnce = 64;

struct Message {
  std::uint64_t number;
  std::uint64_t square;  // of the answer
};

void serve(const std::string& name) {
  const auto segment = sapbuf::Segment::open(name);
  sapbuf::Consumer requests{sapbuf::Queue::open(segment, "requests"), {.name = "server"}};
  sapbuf::Producer answers{sapbuf::Queue::open(segment, "answers"), {.name = "server"}};
  while (requests.wait_for(60s)) {
    for (auto& request : requests.take(8)) {
      Message message{};
      std::memcpy(&message, request.bytes().data(), sizeof message);
      std::this_thread::sleep_for(100us);  // the work
      message.square = message.number * message.number;
      std::memcpy(request.bytes().data(), &message, sizeof message);
      if (request.pass_to(answers) != sapbuf::Status::ok) _exit(1);  // here, or there: at no moment both, or neither
    }
  }
}

pid_t start_server(const std::string& name) {
  const pid_t child = fork();
  if (child != 0) return child;
  serve(name);
  _exit(0);
}

// Sends all requests, so many at once, and counts how often each one was answered rightly.
std::vector<int> ask_all(const sapbuf::Queue& requests, const sapbuf::Queue& answers) {
  sapbuf::Producer tx{requests, {.name = "client"}};
  sapbuf::Consumer rx{answers, {.name = "client"}};
  std::vector<int> answered(kRequests);
  std::uint64_t sent = 0;
  for (std::uint64_t received = 0; received < kRequests;) {
    while (sent < kRequests && sent - received < kAtOnce) {
      const Message message{sent, 0};
      if (tx.push(std::as_bytes(std::span{&message, 1})) != sapbuf::Status::ok) break;
      ++sent;
    }
    auto taken = rx.take_for(kAtOnce, 20s);
    if (!taken) break;
    for (auto& answer : taken) {
      Message message{};
      std::memcpy(&message, answer.bytes().data(), sizeof message);
      if (message.number < kRequests && message.square == message.number * message.number) ++answered[message.number];
      answer.done();
      ++received;
    }
  }
  return answered;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "calculator";
  auto segment = sapbuf::Segment::open_or_create(name, {.main_stream = false});
  // Blocks that are passed on stay where they are: both queues have the same pool.
  const auto blocks = sapbuf::Pool::open_or_create(segment, "blocks", {.buffer_bytes = sizeof(Message), .count = 256});
  const auto requests = sapbuf::Queue::open_or_create(segment, "requests", {.pool = "blocks", .slots = 128});
  const auto answers = sapbuf::Queue::open_or_create(segment, "answers", {.pool = "blocks", .slots = 128});

  int killed = 0;
  std::jthread operators{[&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const pid_t server = start_server(name);
      std::this_thread::sleep_for(50ms);
      kill(server, SIGKILL);
      waitpid(server, nullptr, 0);
      ++killed;
    }
  }};
  const std::vector<int> answered = ask_all(requests, answers);
  operators.request_stop();
  operators.join();

  std::uint64_t once = 0;
  for (const int times : answered) once += times == 1 ? 1 : 0;
  std::cout << once << " of " << kRequests << " requests were answered once; " << killed << " servers were killed\n";
  sapbuf::Segment::remove(name);
  return once == kRequests ? 0 : 1;
}
