// Where a robot is, in a cell: two trackers correct it all the time, and are killed again and again; three controllers look at it.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <iostream>
#include <string>

#include <sapbuf/cell.hpp>

namespace {

constexpr std::uint64_t kSteps = 200'000;

struct Pose {
  double x, y, heading;
  std::uint64_t steps;  // how many corrections are in it
  double sum;           // x + y, or somebody saw half of it
};

void step(Pose& pose) {
  pose.x += 0.5;
  pose.y -= 0.25;
  pose.heading += 0.001;
  pose.steps += 1;
  pose.sum = pose.x + pose.y;
}

int track(const std::string& name) {
  sapbuf::Cell<Pose> pose{sapbuf::Segment::open(name), "pose", {.name = "tracker"}};
  while (pose.load().steps < kSteps) pose.update(step);
  return 0;
}

// 0: all was right.
int control(const std::string& name) {
  const sapbuf::Cell<const Pose> pose{sapbuf::Segment::open(name), "pose", {.name = "controller"}};
  for (std::uint64_t seen = 0; seen < kSteps;) {
    const auto [now, version] = pose.load_versioned();
    if (now.sum != now.x + now.y || now.steps != version || version < seen) return 1;
    seen = version;
    pose.wait_changed(seen, std::chrono::milliseconds{100});
  }
  return 0;
}

template <typename Work>
pid_t begin(Work work) {
  const pid_t child = ::fork();
  if (child == 0) {
    int status = 1;
    try {
      status = work();
    } catch (const std::exception& error) {
      std::cerr << error.what() << '\n';
    }
    ::_exit(status);
  }
  return child;
}

bool went_well(pid_t child) {
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int run(const std::string& name) {
  const auto segment = sapbuf::Segment::create(name, {.main_stream = false});
  const sapbuf::Cell<Pose> pose{segment, "pose", Pose{}};
  std::array<pid_t, 3> controllers{};
  for (pid_t& controller : controllers) controller = begin([&] { return control(name); });
  std::array<pid_t, 2> trackers{};
  for (pid_t& tracker : trackers) tracker = begin([&] { return track(name); });

  int killed = 0;
  for (std::uint64_t at = kSteps / 20; at < kSteps; at += kSteps / 20) {
    while (pose.version() < at) pose.wait_changed(pose.version(), std::chrono::milliseconds{100});
    pid_t& tracker = trackers[static_cast<std::size_t>(killed) % trackers.size()];
    ::kill(tracker, SIGKILL);
    ::waitpid(tracker, nullptr, 0);
    tracker = begin([&] { return track(name); });
    ++killed;
  }
  bool good = true;
  for (const pid_t child : trackers) good = went_well(child) && good;
  for (const pid_t child : controllers) good = went_well(child) && good;
  const Pose last = pose.load();
  std::cout << killed << " trackers were killed; " << last.steps << " corrections, each on top of the one before\n";
  return good && last.steps == pose.version() && last.steps >= kSteps ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "pose";
  int status = 1;
  try {
    status = run(name);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
  }
  sapbuf::Segment::remove(name);
  return status;
}
