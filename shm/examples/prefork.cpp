// A prefork server: workers write what happened, the parent reads it. A worker that is killed takes nothing with it.
//
// Handles do not survive fork: in a child they refuse to work. So each worker opens the segment anew, by its name.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <vector>

#include <sapbuf/sapbuf.hpp>

namespace {

constexpr int kWorkers = 3;
constexpr int kRequests = 4;

void work(const std::string& stream, int worker) {
  const sapbuf::Segment segment = sapbuf::Segment::open(stream);
  sapbuf::Writer log{segment, {.name = "worker-" + std::to_string(worker)}};
  for (int request = 1; request <= kRequests; ++request) {
    const std::string line = "worker " + std::to_string(worker) + ": request " + std::to_string(request);
    if (const sapbuf::Status status = log.write(line); status != sapbuf::Status::ok) {
      std::cerr << "not written (" << to_string(status) << "): " << line << '\n';
    }
    if (worker == 2 && request == 2) {
      const sapbuf::Reservation never_committed = log.reserve(100);
      ::raise(SIGKILL);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string stream = argc > 1 ? argv[1] : "prefork";
  const sapbuf::Segment segment = sapbuf::Segment::create(stream);
  sapbuf::Reader reader{segment, {.name = "parent"}};

  std::vector<pid_t> children;
  for (int worker = 1; worker <= kWorkers; ++worker) {
    const pid_t child = ::fork();
    if (child == 0) {
      work(stream, worker);
      ::_exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) ::waitpid(child, nullptr, 0);

  std::size_t lines = 0;
  while (reader.wait_for(std::chrono::milliseconds{100})) {
    for (const sapbuf::Frame& frame : reader.pin()) {
      std::cout.write(reinterpret_cast<const char*>(frame.bytes().data()), std::ssize(frame.bytes())) << '\n';
      ++lines;
    }
  }
  sapbuf::recover(segment);  // the reader did it already, if it waited for the dead worker's place
  for (const sapbuf::JournalRecord& record : sapbuf::inspect(segment).journal) {
    std::cout << record.name << " (pid " << record.pid << ") died; proof: " << record.proof << '\n';
  }
  sapbuf::Segment::remove(stream);
  return lines == (kWorkers - 1) * kRequests + 2 ? 0 : 1;  // all that was committed
}
