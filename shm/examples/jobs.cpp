// Ten thousand jobs for eight workers, one of which is killed every 200 ms and replaced: every job is done, and few are done twice.
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include <sapbuf/sapbuf.hpp>

namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kJobs = 10'000;
constexpr int kWorkers = 8;

// How often each job was done, in memory that outlives the workers.
using Done = std::atomic<int>;

void work(const std::string& name, Done* done) {
  const auto jobs = sapbuf::Queue::open(sapbuf::Segment::open(name), "jobs");
  sapbuf::Consumer worker{jobs, {.name = "worker"}};
  while (worker.wait_for(60s)) {
    for (auto& job : worker.take(4)) {
      std::uint32_t number = kJobs;
      std::memcpy(&number, job.bytes().data(), sizeof number);
      std::this_thread::sleep_for(500us);  // the work
      ++done[number];
      job.done();
    }
  }
}

pid_t start_worker(const std::string& name, Done* done) {
  const pid_t child = fork();
  if (child != 0) return child;
  work(name, done);
  _exit(0);
}

std::uint32_t count_done(const Done* done) {
  std::uint32_t count = 0;
  for (std::uint32_t job = 0; job < kJobs; ++job) count += done[job] != 0 ? 1 : 0;
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "work";
  auto segment = sapbuf::Segment::open_or_create(name, {.main_stream = false});
  const auto jobs = sapbuf::Queue::open_or_create(segment, "jobs", {.slots = 1024, .block_bytes = 64});
  auto* const done = static_cast<Done*>(
      mmap(nullptr, kJobs * sizeof(Done), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  std::vector<pid_t> workers;
  for (int i = 0; i < kWorkers; ++i) workers.push_back(start_worker(name, done));

  std::thread api{[&] {
    sapbuf::Producer tx{jobs, {.name = "api"}};
    for (std::uint32_t next = 0; next < kJobs;) {
      auto blocks = tx.reserve_for(32, 60s);  // 0 to 32, yours to fill in place
      std::uint32_t filled = 0;
      for (auto& block : blocks) {
        const std::uint32_t number = next + filled;
        if (number == kJobs) break;
        std::memcpy(block.bytes().data(), &number, sizeof number);
        block.resize(sizeof number);
        ++filled;
      }
      next += static_cast<std::uint32_t>(blocks.release(filled));  // in order; the rest goes back
    }
  }};
  int killed = 0;
  const auto patience = std::chrono::steady_clock::now() + 60s;
  while (count_done(done) < kJobs && std::chrono::steady_clock::now() < patience) {
    std::this_thread::sleep_for(200ms);
    pid_t& victim = workers[static_cast<std::size_t>(killed % kWorkers)];
    kill(victim, SIGKILL);
    waitpid(victim, nullptr, 0);
    victim = start_worker(name, done);  // what the dead one had is handed out again, before anything newer
    ++killed;
  }
  api.join();
  const std::uint32_t all = count_done(done);
  int twice = 0;
  for (std::uint32_t job = 0; job < kJobs; ++job) twice += done[job] > 1 ? 1 : 0;
  for (const pid_t worker : workers) {
    kill(worker, SIGKILL);
    waitpid(worker, nullptr, 0);
  }
  std::cout << all << " jobs were done, " << twice << " of them twice or more; " << killed << " workers were killed\n";
  sapbuf::Segment::remove(name);
  return all == kJobs ? 0 : 1;
}
